"""One reading of pictures: size, orientation, pixels and damage, the same wherever one is read.

    decoding.py     a file's content → its pixels, turned; or its size alone, without decoding
    kinds.py        tells a picture's kind by its first bytes, whatever it is called
    headers.py      the size that a file's head tells, before memory is asked for it
    jpeg.py         a JPEG's segments and scans
    jpeg_damage.py  blocks of a JPEG that were lost: decoders show grey there and say nothing
    containers.py   how an AVIF's or HEIF's container turns its picture

These need numpy and OpenCV alone and travel inside every logged model. Pixels are OpenCV's, as
Ultralytics has them when it trains; what OpenCV leaves unturned is turned here.
"""
