"""Utilities that any room may use; nothing of this project is imported here but its siblings.

Each does one thing that was, or would be, written in several rooms.

    redaction.py         secrets are learnt, and replaced in texts and values
    secret_rules.py      how a secret looks
    redacted_streams.py  stdout and stderr of a process without secrets
    redacted_files.py    files without secrets: written, copied before an upload, cleaned in place
"""
