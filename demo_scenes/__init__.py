"""Draws construction scenes; knows nothing of the rest of this project.

    scene.py      random_scene, render: one picture, and what is seen in it
    canvas.py     the camera, the sheet, solid shapes in perspective
    backdrop.py   the ground, and what closes the view
    objects.py    what stands about: cones, pallets, machines
    people.py     workers as jointed bodies
    outfits.py    how they are dressed, and what their bodies do
    light.py      the time of day, and what the camera makes of it
    cctv/         recordings of cameras that hang still, with planted incidents

Everything is decided by a seed: the same one draws the same picture.
"""
