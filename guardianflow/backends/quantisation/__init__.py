"""INT8 for every backend: what stays float, what is calibrated on, packages by recipes.

detection_tail    which nodes stay float, read off the graph's structure
layer_groups      the other nodes, in groups that a recipe may leave float
calibration       calibration images, and what a lineage says of a quantisation
output_error      how far a quantised network's raw output is from the float one's
recipe_exporter   what every recipe exporter does alike: caches, sensitivity
"""
