"""Commands about the settings of this machine.

commands.py  what each takes, and its help
show.py      every setting, and where it comes from
check.py     whether the services that they name can be used
wording.py   what is wrong and how to mend it, in words
"""
