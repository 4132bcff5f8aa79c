"""Reads from their code what directories of scripts hold. Nothing is run or imported.

    directories.py    scan_directories: every directory below one
    walk.py           finds the scripts; passes by data, weights, runs and environments
    source.py         bytes → code: encodings, notebooks, Python 2, merge markers
    syntax.py         parts of a syntax tree
    code_facts.py     code → what a script calls, with what, and which of its functions run
    options.py        its command line → args_template and defaults
    classify.py       facts → train, infer, quant or other, how sure, and why
    script_names.py   versions, dates and words in scripts' names, in Hangul and English
    versions.py       which of several versions is the default
    sites.py          a directory's name → customer, region, task
    results.py        the answers of all this
    todos.py          what a person must fill in or look at, grouped
    write.py          → YAML with the reasons as comments

    meanings/         which calls, libraries and commands train, infer or quantise
    around/           copies of libraries, dates from Git, data.yaml

Whatever the bytes of a script are, reading them never raises.
"""

from __future__ import annotations

from .directories import scan_directories
from .results import FoundDirectories, FoundDirectory, FoundEntry, Given, Script
from .sites import KnownSites

__all__ = [
    "FoundDirectories",
    "FoundDirectory",
    "FoundEntry",
    "Given",
    "KnownSites",
    "Script",
    "scan_directories",
]
