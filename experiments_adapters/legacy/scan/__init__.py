"""What directories of scripts hold, read from their code. Nothing is run or imported.

fleet.py      scan_fleet: every directory below one
walk.py       finds the scripts; passes by data, weights, runs and environments
source.py     bytes → code: encodings, notebooks, Python 2, merge markers
facts.py      syntax tree → what a script calls, and with what
options.py    its command line → args_template and defaults
classify.py   facts → train, infer, quant or other, how sure, and why
versions.py   which of several versions is the default
sites.py      a directory's name → customer, region, task
results.py    what all this answers with
write.py      → YAML with the reasons as comments
update.py     new findings into a file that people have edited
"""

from __future__ import annotations

from .fleet import scan_fleet
from .results import FleetScan, FoundDirectory, FoundEntry, Script
from .sites import KnownSites

__all__ = ["FleetScan", "FoundDirectory", "FoundEntry", "KnownSites", "Script", "scan_fleet"]
