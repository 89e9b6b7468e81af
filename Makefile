PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
SITE := build/site
# Each process of a test would compile Kioku again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up test test-all coverage lint mutants docs docs-serve docs-reference bench trace profile soak dist sbom audit clean

help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(VENV)/.installed  ## Make .venv with everything, from the hashed locks

PACKAGES := packages/slack-playground packages/openai-double packages/stand-in
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
FROM_LOCKS := --require-hashes --only-binary :all:

$(VENV)/.app: requirements.lock requirements-local.lock pyproject.toml $(PACKAGES:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "Kioku needs Python 3.11 to 3.14: set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(FROM_LOCKS) -r requirements.lock -r requirements-local.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation -e . $(PACKAGES:%=-e %)
	@touch $@

$(VENV)/.installed: $(VENV)/.app requirements-dev.lock
	$(PIP_INSTALL) $(FROM_LOCKS) -r requirements-dev.lock
	@touch $@

$(VENV)/.browser: $(VENV)/.installed tests/browser/setup.py
	$(BIN)/python -m tests.browser.setup && touch $@ || true # what is missing fails its tests

$(VENV)/.containers: $(VENV)/.installed tests/deploy/setup.py
	$(BIN)/python -m tests.deploy.setup && touch $@ || true # what is missing fails its test

$(VENV)/.promtool: $(VENV)/.installed tests/deploy/promtool.py
	$(BIN)/python -m tests.deploy.promtool && touch $@ || true # what is missing fails its test

$(VENV)/.site: $(VENV)/.installed requirements-docs.lock
	$(MAKE) $(DOCS)/.installed && touch $@ || true # what is missing fails its tests

up: $(VENV)/.app  ## Run Kioku here: real Slack if its tokens are set, else the playground
	@exec $(BIN)/kioku up

test: lint  ## Check style, types, borders and texts, then run the tests but the slow ones
	$(BIN)/python -m tests.run

test-all: $(VENV)/.browser $(VENV)/.containers $(VENV)/.promtool $(VENV)/.site  ## Run the slow tests: browser, deploy, examples, crashes, faults, a short soak
	$(BIN)/python -m tests.run --slow

coverage: $(VENV)/.browser $(VENV)/.containers $(VENV)/.promtool $(VENV)/.site  ## Run all tests, measuring the branches of every process
	$(BIN)/python -m tests.run --coverage

lint: install  ## ruff, mypy --strict, import-linter, and the tests in tests/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/lint

mutants: install  ## Break one listed line at a time; each break must fail a test
	$(BIN)/python -m tests.mutants

$(DOCS)/.installed: requirements-docs.lock
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check $(FROM_LOCKS) -r $<
	@touch $@

docs: $(DOCS)/.installed  ## Build the documentation site into build/site; a warning or broken link fails
	$(DOCS)/bin/python -m sphinx -q -E -n -W --keep-going -c docs . $(SITE) -d build/site.en
	$(DOCS)/bin/python -m sphinx -q -E -n -W --keep-going -c docs -t ja . $(SITE)/ja -d build/site.ja
	@echo "$(SITE)/index.html"

docs-serve: docs  ## Build the documentation site and serve it: http://127.0.0.1:8000 (DOCS_PORT=8000)
	$(DOCS)/bin/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(or $(DOCS_PORT),8000)

docs-reference: install  ## Write the generated parts of docs/reference again
	$(BIN)/python -m docs.reference.generate

bench: install  ## Measure beside the peers, 15 minutes (QUICK=1: 2); writes docs/benchmarks.md
	$(BIN)/python -m bench

trace: install  ## Follow four messages: files, functions and SQL statements, in order
	$(BIN)/python -m bench.trace

profile: install  ## Where the time of a turn goes: a table, and docs/media/turn-profile.svg
	$(BIN)/python -m bench.profile

soak: install  ## The long fault runs, about 20 minutes; one table at the end
	$(BIN)/python -m tests.soak

BUILDER := build/dist-builder

dist:  ## Build the package's sdist, and its wheel from that, into dist/
	rm -rf dist build/lib *.egg-info
	$(PYTHON) -m venv --clear $(BUILDER)
	$(BUILDER)/bin/python -m pip install --quiet --disable-pip-version-check $(FROM_LOCKS) -r deploy/image/requirements.lock
	$(BUILDER)/bin/python -c 'from setuptools.build_meta import build_sdist; build_sdist("dist")'
	$(BUILDER)/bin/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist dist/*.tar.gz

SUPPLY := build/supply-chain

$(SUPPLY)/.installed: deploy/supply-chain/requirements.lock
	$(PYTHON) -m venv --clear $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

sbom: $(SUPPLY)/.installed  ## List every package of a server with its hashes: build/sbom.cdx.json (CycloneDX)
	$(SUPPLY)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json

audit: $(SUPPLY)/.installed  ## Ask PyPI for known vulnerabilities of these packages (needs the internet)
	$(SUPPLY)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

clean:  ## Remove what was built here (your data in .kioku/ stays)
	rm -rf $(VENV) $(DOCS) build dist *.egg-info packages/*/*.egg-info .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
