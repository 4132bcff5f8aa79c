"""What is remembered of files between runs, so that nothing unchanged is read again.

    file_state.py   size, times and number of a file: whether it can have changed
    images.py       facts of each image, hash and size above all, by the state of its file
    manifests.py    the files of the last sets, to tell what has changed
    known_sets.py   a checked data set, by the state of all its files

All of it lies in the work directory. What can't be read, was cut off or is of another release is
made anew: a memory saves time and is never the only place of anything.
"""
