"""What lists show of a store, read without loading mlflow, which alone takes two seconds.

lines.py      a run, an experiment, a version and a model as a list shows them; the protocol
opening.py    open_overview: the quick way where there is one, mlflow's own where not
database.py   SQLite or PostgreSQL, of a schema that is known
server.py     an MLflow server, by its REST API
by_mlflow.py  any other store, by mlflow itself
"""
