"""A row for each finished run, and what can be asked of all of them; made from MLflow's runs.

store.py       MetricsStore: saves, compacts, queries, exports
run_rows.py    a run → its row
columns.py     columns, and the metrics that people ask for by short names
filters.py     which rows are asked for
standing.py    which runs stand for a place
questions/     summary, trend, comparison, sites, alerts: the SQL, and typed answers
exports.py     rows into one Parquet or CSV file
journal.py     rows as lines of JSON
tables.py      rows as Arrow tables and Parquet
manifest.py    which files count
compaction.py  journals → Parquet, by month
snapshot.py    journals and Parquet as one table of DuckDB
rollups.py     aggregates of whole months, kept in memory
by_file.py     what a query finds in each Parquet file, kept in memory
known_runs.py  which runs stand in which file
places/        a directory or a bucket, behind one port
"""
