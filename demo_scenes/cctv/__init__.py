"""Draws recordings of cameras that hang still while people come and go.

    film.py     Film: the pictures of one recording, and what is seen in each
    acts.py     what happens in a recording: incidents, near misses, and nothing at all
    actors.py   one worker's way through the picture, and when they wear what
    takes.py    which camera records when, and in what light
    site.py     a camera's view, the same on every day; the zone where helmets and vests are a must

Everything is decided by a seed, and nothing is recorded that was not planned: the true incidents
come from the plan, not from the pictures.
"""
