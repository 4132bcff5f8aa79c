# Every target sets up what it needs; a machine with Python 3.11, make and git is enough.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STORE := sqlite:///$(CURDIR)/mlflow.db
JOBS ?= auto
# They wait for servers and processes half of the time.
SLOW_JOBS ?= $(shell expr 2 '*' $$(nproc))
DEMO := configs/scenarios/demo.yaml
# Where it is set, every process compiles the libraries anew: six seconds of a stage's start.
unexport PYTHONDONTWRITEBYTECODE
OPENCV := $(shell sed -n 's/^opencv-python==//p' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo ui dashboard test test-slow acceptance test-long lint audit format lock sbom clean

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

dashboard: $(VENV)/.run-ready  ## serve the figures of all sites on http://127.0.0.1:8000
	$(BIN)/guardianflow metrics update
	$(BIN)/guardianflow dashboard

test: $(VENV)/.dev-ready  ## the tests that neither train, quantise nor start servers, with branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --durations=10 -n $(JOBS) --dist worksteal -m "not slow and not acceptance"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-slow: $(VENV)/.dev-ready  ## those that do: real trainings, servers, databases, browsers, kills
	$(BIN)/pytest --durations=25 -n $(SLOW_JOBS) --dist worksteal -m "slow and not acceptance"

acceptance: $(VENV)/.dev-ready  ## the longest tests: whole pipelines, and the demo as the README promises it
	$(BIN)/pytest --durations=10 -n $(JOBS) --dist loadscope --no-loadscope-reorder -m acceptance

test-long: $(VENV)/.dev-ready  ## those of both, at once: no worker waits for another one's end
	$(BIN)/pytest --durations=30 -n $(SLOW_JOBS) --dist worksteal -m "slow or acceptance"

lint: $(VENV)/.dev-ready  ## ruff, mypy (strict), bandit, the layers and the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_rooms.py
	# It warns of each string beside one that a `nosec` stands at: shown with a fault alone.
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive . 2>$(VENV)/bandit.log || { cat $(VENV)/bandit.log; exit 1; }
	@$(BIN)/python tools/audit.py --if-reachable

audit: $(VENV)/.dev-ready  ## known vulnerabilities of the locks' versions; needs the internet
	@$(BIN)/python tools/audit.py

format: $(VENV)/.dev-ready  ## rewrite the code as ruff wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV)  ## compile requirements*.in to requirements*.txt
	$(UV) pip compile --quiet --universal --no-emit-index-url --python-version 3.11 requirements.in -o requirements.txt
	$(UV) pip compile --quiet --universal --no-emit-index-url --python-version 3.11 requirements-dev.in -o requirements-dev.txt

sbom:  ## write guardianflow.cdx.json, the bill of materials of the lock (CycloneDX)
	@$(PYTHON) tools/sbom.py > guardianflow.cdx.json
	@echo guardianflow.cdx.json

clean:  ## remove the environment and what tools left; keeps mlflow.db and mlruns
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
