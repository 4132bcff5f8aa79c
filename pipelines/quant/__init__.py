"""`guardianflow quant`: makes a quantised variant and judges it beside the original.

stage.py         the stage
calibration.py   chooses the images to calibrate on
checks.py        refuses a broken variant, warns of a strange one
qat.py           quantisation-aware training
search.py        makes, measures and logs recipes, and keeps the best
trial.py         one try of a search, as metrics and as a row
search_order.py  which recipe is tried next, and which is best
"""
