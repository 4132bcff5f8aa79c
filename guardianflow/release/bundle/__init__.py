"""The edge bundle: everything a box at a site needs to run one registered detector.

build.py         makes it
check.py         compares it with what was pulled
install.py       puts it in place at once, whole again after a kill
run_detector.py  runs it on the box, on its own
"""
