"""Shared by the quantisers of all backends.

detection_tail.py   finds the nodes that stay float, by the graph's structure
layer_groups.py     groups the others, which a recipe may leave float
calibration.py      calibration images, and what a lineage says of a quantisation
activations.py      cheaper activations in the float network, batch norms measured anew
reconstruction.py   fits the changed network's weights to what its layers gave before
layer_fit.py        solves one convolution of it
layer_trace.py      what stands around each convolution, and who undoes a change of its values
recipe_exporter.py  makes packages by recipes, measures what groups harm and save
kept_work.py        keeps the float network, calibrations and what was measured
confirmation.py     whether held-out images confirm a gain
output_error.py     how far a quantised network's output is from the float one's
"""
