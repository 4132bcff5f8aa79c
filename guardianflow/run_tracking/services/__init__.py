"""Asks each service that runs are kept by whether it is there and keeps what it is given.

answers.py    the answer of a service, with the cause of what is wrong
server.py     an MLflow server: reached, logged in, of which version
artifacts.py  bytes through the store of artifacts and back, compared by their hash
workspaces.py  which workspace of a server is ours
s3.py         an S3 server: reached, the key accepted, bytes there and back
"""
