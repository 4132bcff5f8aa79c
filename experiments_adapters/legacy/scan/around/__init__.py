"""What lies around the scripts of a directory, and tells about them.

copies.py      copies of YOLOv5, Ultralytics and others: not the owner's scripts
git_dates.py   when each file was last changed, from Git
data_files.py  data.yaml → classes; classes and names → the task
"""
