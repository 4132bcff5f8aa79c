"""`guardianflow release`: judges candidates against the champion, and decides.

stage.py        the stage
candidates.py   the candidates, and the champion of each
measurement.py  measures each on the same images and device
leaks.py        what of the split the candidates have learnt
decision.py     verdicts, and the winner
report.py       files, pictures, and what the report says
runner.py       judges finished runs anew
text.py         the decision in a few lines
"""
