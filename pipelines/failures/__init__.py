"""What stages do about failures.

disk_space.py    too little room: found before the start, watched on the way
partial.py       what a training that failed has left, kept in its run
killed.py        a process that was ended from outside: why, as far as the kernel tells
memory_kills.py  the kernel's count of processes that it ended for lack of memory
"""
