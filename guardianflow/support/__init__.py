"""Utilities that any room may use; imports nothing of this project but its siblings.

child_processes.py    waits for processes and threads, and answers signals meanwhile
process_identity.py   tells later whether a process still lives
stop_signals.py       makes one KeyboardInterrupt of the signals that ask to stop
output_streams.py     lets stdout and stderr fail without consequence
terminal.py           prints; the only place that does
secrets/              keeps secrets from what is written and shown
files.py              writes files whole or not at all, and durably
sealed_files.py       writes JSON files that are later known to be whole
locks.py              lets one process at a time do something
undo.py               undoes what was made before a failure
text/                 makes texts fit for a line, Markdown or a table
pictures/             reads pictures: size, orientation, pixels and damage from one place
suggestions.py        finds the known names that are near to one that was given
module_imports.py     finds the modules that a module needs, by reading imports
foreign_libraries.py  keeps libraries' prints, logs and settings to themselves
network/              connects to addresses that others name, never into private networks
foreign_yaml.py       reads YAML of others without harm
large_libraries.py    spares a process what large libraries cost beside their use
"""
