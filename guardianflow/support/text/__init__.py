"""Makes texts, ours and others', fit for where they are shown, and compares them as people do.

shortening.py  for a message or one line
markdown.py    for Markdown: never markup, a link or HTML
csv_files.py   for tables that no spreadsheet runs
encodings.py   bytes of others → text, or what to convert
spelling.py    composed and decomposed letters are the same letters
"""
