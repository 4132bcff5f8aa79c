"""Changes a model's aliases: proof, journal, one at a time."""
