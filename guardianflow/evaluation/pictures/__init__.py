"""Draws results as PNG files.

drawing.py        fonts, colours, and a figure that ends as a file
results.py        average precision, curves, latency by batch size
comparison.py     differences, call times, cameras
contact_sheet.py  the images where a detector does worst
variants.py       variants of one model: what each loses and gains
search.py         tries of a search: what each loses and costs
mot.py            scores of each sequence
"""
