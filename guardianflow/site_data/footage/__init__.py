"""Recordings of cameras, and what truly happened in them.

recordings.py     opens videos and folders of pictures with their truth, all checked
places.py         where recordings lie below a folder, and what each is called
videos.py         a video's pictures and times, from the stream's clock
frame_folders.py  pictures in a folder, and where their times come from
truth.py          truth files → incidents, checked against the recordings
truth_tables.py   CSV
truth_tracks.py   CVAT's XML and VIRAT's events
moments.py        seconds, mm:ss and hh:mm:ss

Everything wrong with recordings and truth is told at once.
"""
