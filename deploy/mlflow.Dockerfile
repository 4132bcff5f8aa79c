# The MLflow server. Builds without internet from wheels/, which `guardianflow bundle-wheels` fills.
FROM python:3.11.13-slim-bookworm
RUN useradd --uid 10001 --create-home mlflow
RUN --mount=type=bind,source=wheels,target=/wheels \
    --mount=type=bind,source=deploy/requirements-server.txt,target=/tmp/requirements.txt \
    pip install --no-cache-dir --no-index --find-links=/wheels -r /tmp/requirements.txt
COPY deploy/make_bucket.py deploy/store_copy.py deploy/mlflow/basic_auth.ini /opt/deploy/
USER mlflow
WORKDIR /home/mlflow
EXPOSE 5000
CMD ["mlflow", "server", "--help"]
