# Every target sets up what it needs; a machine with Python 3.11, make and git is enough.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STORE := sqlite:///$(CURDIR)/mlflow.db
JOBS ?= auto
DEMO := configs/scenarios/demo.yaml
OPENCV := $(shell sed -n 's/^opencv-python==//p' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test test-fast acceptance lint format lock clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(UV):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v in ((3, 11), (3, 12)) else f"GuardianFlow needs Python 3.11 or 3.12, but $(PYTHON) is {v[0]}.{v[1]}. Try: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.run-ready: requirements.txt requirements.in pyproject.toml | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -r requirements.txt
	# Ultralytics asks for opencv-python, which needs a desktop's libGL; a server has none. The
	# headless build is the same module without windows.
	$(UV) pip uninstall --quiet --python $(BIN)/python opencv-python
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --reinstall opencv-python-headless==$(OPENCV)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev-ready: $(VENV)/.run-ready requirements-dev.txt
	$(UV) pip install --quiet --python $(BIN)/python -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.run-ready  ## build the environment in .venv

demo: $(VENV)/.run-ready  ## train, quantise, benchmark and register a detector on drawn data
	$(BIN)/guardianflow pipeline $(DEMO)

ui: $(VENV)/.run-ready  ## open MLflow's pages on http://127.0.0.1:5000
	$(BIN)/mlflow ui --backend-store-uri $(STORE)

test: $(VENV)/.dev-ready  ## every test but the longest, with branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --durations=25 -n $(JOBS) --dist worksteal -m "not acceptance"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-fast: $(VENV)/.dev-ready  ## the tests that neither train, quantise nor start servers
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow and not acceptance"

acceptance: $(VENV)/.dev-ready  ## the longest tests: whole pipelines, and the demo as the README promises it
	$(BIN)/pytest --durations=10 -n $(JOBS) --dist loadscope --no-loadscope-reorder -m acceptance

lint: $(VENV)/.dev-ready  ## ruff, mypy (strict), the layers and the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_rooms.py

format: $(VENV)/.dev-ready  ## rewrite the code as ruff wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV)  ## compile requirements*.in to requirements*.txt
	$(UV) pip compile --quiet --universal --no-emit-index-url --python-version 3.11 requirements.in -o requirements.txt
	$(UV) pip compile --quiet --universal --no-emit-index-url --python-version 3.11 requirements-dev.in -o requirements-dev.txt

clean:  ## remove the environment and what tools left; keeps mlflow.db and mlruns
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
