"""Pictures that are copies of each other, though their files are not; a docstring only.

thumbnails.py   small grey pictures of files, decoded reduced
memory.py       thumbnails remembered between runs
candidates.py   the few that may be twins of a picture, among all
poses.py        how one lies on the other: cropped, scaled, shifted
comparison.py   the same picture, the same scene, or neither
search.py       for each judged picture its twin among those learnt
processes.py    the same in a process for each core, where there are many
leaks.py        what of the judged splits is in train already
table.py        leaks.csv
video.py        whether a split's images are frames of videos
"""
