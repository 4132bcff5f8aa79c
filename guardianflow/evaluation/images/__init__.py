"""Prepares images for a network and reads its output, the same for every backend.

    preprocessing.py   image file → letterboxed network input, and boxes back to the image
    resizing.py        OpenCV's resize with numpy alone, for boxes without OpenCV
    postprocessing.py  raw network output → Detections

These need numpy and, where there is one, OpenCV: they travel inside every logged model.
"""
