"""Takes times, loads and memory of detectors, and the conditions they were taken under."""
