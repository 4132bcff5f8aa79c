"""`guardianflow run NAME`: run an old script unchanged, as a run of MLflow."""
