"""Utilities that any room may use; nothing of this project is imported here but its siblings.

Each does one thing that was, or would be, written in several rooms.

    child_processes.py   waits for processes and threads that answer a signal meanwhile
    stop_signals.py      the signals that ask to stop become one KeyboardInterrupt
    output_streams.py    stdout and stderr that may fail without consequence
    terminal.py          the one way to print: nothing that is said drives a terminal
    redaction.py         secrets are learnt, and replaced in texts and values
    secret_rules.py      how a secret looks
    redacted_streams.py  stdout and stderr of a process without secrets
    redacted_files.py    files without secrets: written, copied before an upload, cleaned in place
    suggestions.py       the known names that are near to one that was given
    foreign_yaml.py      YAML of others, read without harm
    markdown.py          texts of others in Markdown
    locks.py             one process at a time
    environment.py       environment variables for a while
    module_imports.py    which modules a module needs, by reading its imports
    csv_files.py         tables that no spreadsheet runs
"""
