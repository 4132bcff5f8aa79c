-- Users and rights of MLflow's logins, beside its runs and models.
CREATE DATABASE mlflow_auth OWNER mlflow;
