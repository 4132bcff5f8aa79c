"""A sweep as people see it.

board.py     while it works: the live table, or lines
table.py     CSV, Parquet, JSON, Markdown
pictures.py  a page of Plotly, and PNG files
"""
