"""`guardianflow quant`: makes a quantised variant and judges it beside the original.

stage.py         the stage
calibration.py   chooses the images to calibrate on
measured.py      both models' figures, their table and pictures
checks.py        refuses a broken variant, warns of a strange one
own_quantizer.py  an author's Quantizer
slices.py        its slices beside those of the original
qat.py           quantisation-aware training
distilling.py    training-on after activations were changed
search.py        makes, measures and logs recipes, and keeps the best
trial.py         one try of a search, as metrics and as a row
activation_order.py  in which order activations are changed
search_order.py  which recipe is tried next, and which is best
"""
