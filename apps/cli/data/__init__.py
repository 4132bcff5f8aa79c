"""Commands about data sets: groups of images, splits, leaks.

commands.py       the commands, and their help
options.py        what `groups` and `split` take
rules.py          the place and the groups of a data set, as they are typed
groups.py         what tells recordings, and what each would hold
write_groups.py   a proposal → a table, or a line in a scenario
split.py          a split that keeps recordings whole
check.py          what of val and test is in train already
check_options.py  what that takes
"""
