"""The edge bundle: made, checked, installed and run."""
