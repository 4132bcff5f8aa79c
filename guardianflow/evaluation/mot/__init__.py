"""Multi-object tracking.

tracker.py  detections → tracks, by ByteTrack or BoT-SORT
scores.py   tracks + ground truth → HOTA, MOTA, IDF1, by TrackEval
"""
