"""`guardianflow compare`: models, formats or data sets beside each other.

kinds.py              which comparison a scenario asks for: runner and table
comparison.py         formats of one model
table.py              each format against the original, and the best within the limits
architectures.py      a training each, then all side by side
existing.py           runs and registered versions: measured again, or as they were recorded
datasets.py           one model on the data of several sites
best_table.py         what both tables share
ranked_comparison.py  what these three share
several.py            trainings, one after the other or several at once
ranking.py            from results to ranks, and what is certain
pooled.py             the same of architectures that were trained several times
ranked_table.py       the table in rows and words
ranked_report.py      its files and pictures
"""
