"""What each page shows: plain values for its template, no HTML.

standing.py     good, to be watched, bad, unknown: a site's state in words
champions.py    who is champion since when, and the changes before
fleet.py        a tile for each site
site.py         a site: its trend, versions, gates, slices, runs
compare.py      architectures, sites or variants beside each other
running.py      runs and sweeps under way
alerts.py       places beyond a limit, and who has seen it
charts.py       figures for Plotly, and the small pictures of tiles
"""
