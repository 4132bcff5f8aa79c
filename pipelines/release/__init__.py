"""`guardianflow release`: judge candidates against the champion and decide."""
