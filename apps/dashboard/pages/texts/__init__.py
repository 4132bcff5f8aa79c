"""Every text of the pages.

ko.py       Korean
en.py       English, with the same keys
wording.py  a text, a time, a place in the language and time zone of a visitor
"""
