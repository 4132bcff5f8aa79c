# The dashboard and workers. Builds without internet from wheels/, which `guardianflow
# bundle-wheels` fills. The full Debian image has git, for experiment code from Git.
FROM python:3.11.13-bookworm
RUN useradd --uid 10001 --create-home guardianflow && mkdir /work && chown guardianflow /work
# Ultralytics asks for OpenCV with windows, which wants a desktop's libraries; its headless build is
# the same module.
RUN --mount=type=bind,source=wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links=/wheels "guardianflow[s3]" && \
    pip uninstall --yes opencv-python && \
    pip install --no-cache-dir --no-index --find-links=/wheels --no-deps --force-reinstall \
        opencv-python-headless
USER guardianflow
WORKDIR /home/guardianflow
EXPOSE 8000
CMD ["guardianflow", "--help"]
