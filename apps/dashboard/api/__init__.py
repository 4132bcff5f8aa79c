"""The routes, each a question to the store and its typed answer.

parameters.py  the query parameters that routes share; unknown ones are refused
metrics.py     /api/metrics/…: summary, trend, comparison, alerts
places.py      /api/sites, /api/fleet, /api/models
runs.py        /api/runs
health.py      /healthz, and /metrics for Prometheus
models.py      answers that are not the store's own
"""
