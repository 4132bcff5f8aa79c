"""Where a store lies, behind one port.

    journal/2026-11-28….jsonl           rows as they are written, by day
    rows/month=2026-11/….parquet        compacted; never changed once they are there
    manifest.json                       which Parquet files count; replaced in one step

port.py       what a store asks of its place
directory.py  a directory, with locks of the system
s3.py         a bucket, by pyarrow
opened.py     which of the two an address means
"""
