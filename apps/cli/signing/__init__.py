"""The commands about signed releases.

commands.py  what each takes, and its help
keys.py      makes a pair of keys
sign.py      signs a registered version
"""
