"""What quantisers of every backend share: what stays float, groups of layers, recipes."""
