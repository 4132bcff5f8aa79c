"""`guardianflow alarms`: rules over a model's detections, without a run.

watch.py   a scenario and a model → detections of the recordings, kept in the work directory
score.py   the alarms of the scenario's rules, counted
tune.py    the rules' confidence and hold within a limit of false alarms, judged on other recordings
"""
