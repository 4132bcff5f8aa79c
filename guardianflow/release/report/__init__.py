"""The release report, in English and in Korean.

page.py        writes it: one self-contained page and its Markdown
content.py     what it says, before any language
view.py        plain values for the templates, every text in one language
tables.py      champion beside candidate, overall and class by class
slices.py      slices, the worst of them, and those that got worse
gates.py       the table of gates
alarms.py      alarms: figures, rules, timelines
next_steps.py  what its reader does next
figures.py     figures as text
wording.py     causes and figures → sentences
texts_en.py    the sentences in English
texts_ko.py    the sentences in Korean
"""
