"""Makes texts, ours and others', fit for where they are shown.

shortening.py  for a message or one line
markdown.py    for Markdown: never markup, a link or HTML
csv_files.py   for tables that no spreadsheet runs
"""
