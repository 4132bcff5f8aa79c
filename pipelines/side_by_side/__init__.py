"""Several models on the same images and the same device, for comparisons and ablations.

contenders.py  the models of a request, and how each is told apart
figures.py     what was measured, as metrics of a run and back
seeds.py       what several trainings of one kind say together
measured.py    what one model was found to be, and how it differs from another
stage.py       the stage: judges all, times them by turns, registers the best where it is asked to
"""
