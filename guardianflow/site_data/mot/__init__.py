"""Image sequences and tracks in MOTChallenge's layout."""
