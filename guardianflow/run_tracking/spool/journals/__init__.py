"""Journals: what processes wrote about runs, on the disk of this machine.

journal.py      one process' journal: segments, what is sent, what is refused or damaged
own_journal.py  that of this process, which is written to while it is sent
left.py         those of processes that are gone
records.py      lines with a checksum each
entries.py      what stands in them
numbers.py      which of them are sent
"""
