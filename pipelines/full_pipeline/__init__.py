"""`guardianflow pipeline`: train, quantise, judge and release, as stages below one run."""
