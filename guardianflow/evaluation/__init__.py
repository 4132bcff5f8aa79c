"""Judging detectors: one way to prepare images, read outputs, count matches and take time.

    preprocessing      image file → letterboxed network input, and boxes back to the image
    resizing           OpenCV's resize with numpy alone, for boxes without OpenCV
    postprocessing     raw network output → Detections
    average_precision  matching and AP, the arithmetic of COCO
    detection          detector + labelled images → DetectionMetrics; predictions on disk
    latency            detector + decoded images → LatencyResult
    pictures           values → PNG
    system_metrics     CPU, memory and GPU counters, sampled beside the work
    gpu_counters       NVML, as far as there is one
    process_load       CPU time of a process and its children; the cores it may use
    conditions         how quiet the machine was while something was timed

No module here knows where a model comes from. preprocessing, resizing and postprocessing
need numpy and, where there is one, OpenCV: they travel inside every logged model. The metrics are
defined in docs/metrics.md.
"""
