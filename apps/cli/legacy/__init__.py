"""Commands for old scripts: scan, migrate, run, status."""
