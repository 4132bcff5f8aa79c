"""Keeps secrets out of parameters, tags, files, logs and what is shown. See docs/secrets.md.

redaction.py  learns secrets, and replaces them in texts and values
rules.py      recognises a secret by its look
streams.py    cleans stdout and stderr of a process
files.py      writes files without secrets, copies them so before an upload, cleans them in place
"""
