"""`guardianflow infer`: judges a model on a split.

stage.py          the stage
own_benchmark.py  an author's Benchmark
pictures.py       what both draw
"""
