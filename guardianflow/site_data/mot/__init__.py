"""Image sequences and tracks in MOTChallenge's layout.

    sequences.py       finds, reads and checks sequences
    frames.py          their pictures: image files or a video
    ground_truth.py    gt/gt.txt, and what its class ids mean
    track_results.py   files of tracks that a tracker reported
    demo_sequence.py   a drawn sequence with ground truth
    track_rows.py      the rows of both, checked one by one

Everything wrong with a sequence is told at once, with file and line.
"""
