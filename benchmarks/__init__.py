"""Ratios against a peer or a bound, measured in one run: `python -m benchmarks.NAME [--quick]`."""
