"""Judges detectors: boxes, times, tracks, and pictures of them.

    images/    image file → network input; network output → boxes
    accuracy/  matches, average precision, intervals
    slices/    the same by size of boxes, light, blur, camera, and what else is known of images
    timing/    latency, throughput, load, and the conditions they were taken under
    mot/       tracks objects and scores the tracks
    alarms/    rules over recordings, their alarms counted, rated and tuned
    pictures/  values → PNG

No module here knows where a model comes from. The metrics are defined in docs/metrics.md.
"""
