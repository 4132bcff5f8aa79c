"""Judges detectors: boxes, times, tracks, and pictures of them.

    images/    image file → network input; network output → boxes
    accuracy/  matches, average precision, intervals
    timing/    latency, throughput, load, and the conditions they were taken under
    mot/       tracks objects and scores the tracks
    pictures/  values → PNG

No module here knows where a model comes from. The metrics are defined in docs/metrics.md.
"""
