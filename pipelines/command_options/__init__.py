"""Options of both command lines: how one is declared, and how `python -m` reads them.

declared.py   Option, and the fields that declare one
scenario_places.py  fetches a scenario that is named by an address
words.py      the words behind `python -m pipelines.X` → a value of the dataclass
"""
