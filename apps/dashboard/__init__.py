"""What is seen of all sites, over HTTP: pages, figures as JSON and for Prometheus.

app.py      the application: routes, errors, access
sources.py  what it is made of: the metrics store, MLflow, the registry of old directories
access.py   who may ask: a token, or this machine alone
guards.py   what every request passes: other sites, guesses of the token, large bodies
replies.py  answers as bytes, kept while the store is as it was, with their ETags
upkeep.py   rows of other people's runs, and compaction, now and then
serve.py    `guardianflow dashboard`
api/        the routes of figures
pages/      the pages
"""
