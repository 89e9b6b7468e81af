# What a release needs, from the repository's folder: `make -f deploy/release.mk dist` (or sbom, audit).
PYTHON ?= python3
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
BUILDER := build/dist-builder
SUPPLY := build/supply-chain

.PHONY: dist sbom audit

dist:  ## Build the package's sdist, and its wheel from that, into dist/
	rm -rf dist build/lib *.egg-info
	$(PYTHON) -m venv --clear $(BUILDER)
	$(BUILDER)/bin/python $(PIP_INSTALL) -r deploy/image/requirements.lock
	$(BUILDER)/bin/python -c 'from setuptools.build_meta import build_sdist; build_sdist("dist")'
	$(BUILDER)/bin/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist dist/*.tar.gz

$(SUPPLY)/.installed: deploy/supply-chain/requirements.lock
	$(PYTHON) -m venv --clear $(SUPPLY)
	$(SUPPLY)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

sbom: $(SUPPLY)/.installed  ## List every package of a server with its hashes: build/sbom.cdx.json (CycloneDX)
	$(SUPPLY)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json

audit: $(SUPPLY)/.installed  ## Ask PyPI for known vulnerabilities of these packages (needs the internet)
	$(SUPPLY)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock
