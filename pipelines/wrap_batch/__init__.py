"""`guardianflow run --all`: run many old scripts, and go on where it stopped."""
