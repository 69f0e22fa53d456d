# Everything that CONTRIBUTING.md and the README name. Needs Python 3.10 or newer and make; cargo
# for what concerns Rust. `make demo` and `make test` set up what they need themselves.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The tests start the program hundreds of times; with this set it would be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test check test-all test-server engines platforms reference projects compatibility lint types contracts bench docs clean

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing cloacina-ctl into $(VENV) …"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing what the tests and checks need …"
	@$(PIP) install --group dev
	@touch $@

setup: $(VENV)/.run ## install the program into .venv
setup-dev: $(VENV)/.dev ## install the program and all that its tests need

demo: setup ## package a real project, sign it, look at it from every side, and run it
	@PATH="$(abspath $(BIN)):$$PATH" sh docs/demo.sh

# In CI also the slow tests: those that build Rust crates, and exhaustive sweeps; and then those in
# the released engines, one at a time: the engines' own threads want the processors.
test: setup-dev lint types contracts ## lint, types, import contracts, tests; with CI=true all of them
	$(BIN)/python -m pytest -n auto -m $(if $(CI),'not engines','not slow')
	$(if $(CI),$(BIN)/python -m pytest -m engines)

check: setup-dev lint types contracts ## lint, types and import contracts alone

test-all: test ## the tests on every Python from 3.10 that this machine has
	sh tests/all_pythons.sh

test-server: setup-dev ## build the real server once, outside of the tree, and publish to it
	CLOACINA_CTL_TEST_BUILD_SERVER=1 $(BIN)/python -m pytest -m server

engines: setup-dev ## hand packages to the released engines from PyPI (a quarter of an hour; cargo)
	$(BIN)/python -m pytest -m engines

platforms: setup-dev ## compare the platforms of 150 wheels from PyPI with auditwheel's (part of CI=true)
	$(BIN)/python -m pytest tests/platforms/test_against_auditwheel.py

reference: setup-dev ## build the real cloacinactl and older daemons once, outside of the tree, and compare
	$(BIN)/python -m tests.reference.cloacinactl
	$(BIN)/python -m tests.reference.daemons
	$(BIN)/python -m pytest -m reference

projects: setup-dev ## judge other people's projects: CLOACINA_CTL_TEST_PROJECTS=FOLDER
	$(BIN)/python -m pytest -q -m projects

compatibility: setup-dev ## measure the engines anew and write docs/compatibility.md
	$(BIN)/python -m tests.engines.report --measure

lint: setup-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup-dev
	$(BIN)/mypy

contracts: setup-dev
	$(BIN)/lint-imports

bench: setup-dev ## time packing, verifying and unpacking against tar and zstd
	$(BIN)/python -m benchmarks

docs: setup-dev ## write the generated pages anew
	$(BIN)/cloacina-ctl schema > docs/manifest.schema.json
	$(BIN)/python -m cloacina_ctl.cli.parsing.reference > docs/cli.md

clean: ## remove what the other targets made
	rm -rf $(VENV) .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist demo
