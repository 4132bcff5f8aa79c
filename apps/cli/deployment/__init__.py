"""Commands for whoever sets up machines.

commands.py  what each takes, and its help
wheels.py    everything that an installation without internet needs, in one directory
"""
