# What a release needs, from the repository's folder: `make -f deploy/release.mk dist` (or sbom, audit).
PYTHON ?= python3
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
BUILDER := build/dist-builder
SUPPLY := build/supply-chain

.PHONY: dist sbom audit

dist:  ## Build the sdist of Kioku and of each package of its playground, and a wheel from each, into dist/
	rm -rf dist build/lib *.egg-info
	$(PYTHON) -m venv --clear $(BUILDER)
	$(BUILDER)/bin/python $(PIP_INSTALL) -r deploy/image/requirements.lock
	for one in . packages/*; do (cd $$one && $(CURDIR)/$(BUILDER)/bin/python -c 'import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])' $(CURDIR)/dist) || exit; done
	$(BUILDER)/bin/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist dist/*.tar.gz

$(SUPPLY)/.installed: deploy/supply-chain/requirements.lock
	$(PYTHON) -m venv --clear $(SUPPLY)
	$(SUPPLY)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

sbom: $(SUPPLY)/.installed  ## List every package of a server with its hashes: build/sbom.cdx.json (CycloneDX)
	$(SUPPLY)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json

audit: $(SUPPLY)/.installed  ## Ask PyPI for known vulnerabilities of these packages (needs the internet)
	$(SUPPLY)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock
