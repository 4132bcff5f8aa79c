"""Connections that the machine opens because somebody named an address.

addresses.py  never into private networks that nobody has allowed
"""
