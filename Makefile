PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
PACKAGES := packages/slack-playground packages/openai-double packages/stand-in
OURS := slack_playground openai_double kioku_stand_in
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
FROM_LOCKS := --require-hashes --only-binary :all:
# Each process of a test would compile Kioku again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up test tests test-all soak lint docs clean

help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(VENV)/.installed  ## Make .venv with everything, from the hashed locks

$(VENV)/.app: requirements.lock deploy/local/requirements.lock pyproject.toml $(PACKAGES:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "Kioku needs Python 3.11 to 3.14: set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(FROM_LOCKS) -r requirements.lock -r deploy/local/requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation -e . $(PACKAGES:%=-e %)
	@touch $@

$(VENV)/.installed: $(VENV)/.app tests/requirements.lock
	$(PIP_INSTALL) $(FROM_LOCKS) -r tests/requirements.lock
	@touch $@

# What the slow tests need from outside Python; what is missing fails its test.
$(VENV)/.outside: $(VENV)/.installed $(DOCS)/.installed tests/browser/setup.py tests/deploy/setup.py tests/deploy/promtool.py tests/real_servers/setup.py tests/real_servers/requirements.lock
	for one in browser.setup deploy.setup deploy.promtool real_servers.setup; do $(BIN)/python -m tests.$$one || missing=1; done; [ -n "$$missing" ] || touch $@

$(DOCS)/.installed: docs/requirements.lock
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check $(FROM_LOCKS) -r $< && touch $@

up: $(VENV)/.app  ## Run Kioku here: real Slack if its tokens are set, else the playground
	@exec $(BIN)/kioku up $(ARGS)

test: install  ## Check style, types, imports and pages, and run the tests but the slow ones
	@$(MAKE) -j2 lint tests
tests: install; $(BIN)/python -m tests.run

test-all: $(VENV)/.outside  ## Run the slow tests: browser, deploy, examples, real model servers, crashes, a short soak, PostgreSQL 16
	$(BIN)/python -m tests.run --slow

soak: install  ## Run the long fault run, about seven minutes: everything breaks while people write
	$(BIN)/python -m tests.soak

lint: install  ## ruff, mypy --strict, import-linter, deptry, and the tests in tests/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for one in $(PACKAGES); do $(BIN)/mypy $$one/tests || exit; done
	$(BIN)/lint-imports
	$(BIN)/deptry bot memory
	for one in $(PACKAGES); do (cd $$one && $(CURDIR)/$(BIN)/deptry . --exclude tests --ignore DEP002 $(OURS:%=--known-first-party %)) || exit; done
	$(BIN)/python -m pytest -q tests/lint
	$(BIN)/python -m docs.translations

docs: $(DOCS)/.installed  ## Build the documentation site into build/site; a warning or broken link fails
	$(DOCS)/bin/python -m sphinx -q -E -n -W --keep-going -c docs . build/site -d build/doctrees

clean:  ## Remove what was built here (your data in .kioku/ stays)
	rm -rf $(VENV) $(DOCS) .venv-servers build dist *.egg-info packages/*/*.egg-info .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
