"""All that is written about runs, kept on this machine until the store has it: docs/spool.md.

store.py      SpooledStore: appends at once
reading.py    reads what the store and the journals say
access.py     this process' journal, its thread and the store, opened where they are needed
registry.py   SpooledRegistry: a registration waits for its run and its files
journals/     what lies on the disk until it is sent
copies.py     files that wait, with their sha256, and whether they arrived
sender.py     the thread that sends, and what is waited for
delivery.py   sends a journal's entries, nothing twice
server.py     the store that is sent to, opened when it is there
ids.py        which id a run got that began while the store was away
view.py       runs as the journals tell them
sync.py       `guardianflow sync`: sends what is left, tells what stays
"""
