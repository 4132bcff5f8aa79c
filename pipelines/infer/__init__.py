"""`guardianflow infer`: judge a model on a split."""
