"""`guardianflow train`: train by an experiment's code and register the best model."""
