"""All that is written about runs, kept on this machine until the store has it: docs/spool.md.

store.py      SpooledStore: appends at once, reads what the store and the journals say
registry.py   SpooledRegistry: a registration waits for its run and its files
journal.py    a process' journal: segments, what is sent, what is refused or damaged
records.py    lines with a checksum each
entries.py    what stands in them
numbers.py    which of them are sent
copies.py     files that wait, with their sha256, and whether they arrived
sender.py     the thread that sends, and what is waited for
delivery.py   sends a journal's entries, nothing twice
server.py     the store that is sent to, opened when it is there
ids.py        which id a run got that began while the store was away
view.py       runs as the journals tell them
left.py       journals of processes that are gone
sync.py       `guardianflow sync`: sends what is left, tells what stays
"""
