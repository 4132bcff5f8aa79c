"""Demos that are drawn on this machine by demo_scenes; demo.py, one floor up, finds them by name.

ppe.py         demo://ppe, single pictures of many sites
cctv.py        demo://cctv, labelled frames of recordings; a split that leaks, if asked for
incidents.py   demo://incidents, recordings with planted incidents, and their truth
videos.py      pictures → a video file, or a folder with the times of its pictures
options.py     what may stand behind the '?', and its reader
generator.py   the hash of what draws, pictures and labels as files
"""
