"""The core: measures, converts, tracks and releases object detectors; serves as a library.

    support/        utilities
    contracts/      errors, results and ports that the rooms agree on
    site_data/      data sets and image sequences
    backends/       inference libraries: files made, quantised, opened
    evaluation/     accuracy, time, tracking and pictures
    run_tracking/   MLflow: runs and registered models
    metrics_store/  a row for each finished run, and what is asked of all of them
    release/        gates, promotion, report and bundle
    detector.py     a detector one can call on images

The rooms take plain values and results, never a scenario. docs/architecture.md says which room may
import which.
"""

__version__ = "0.1.0"
