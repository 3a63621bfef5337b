# Needs Python 3.11 or later with venv, git and make. Everything else goes into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out
# A file is one process's, in the order of tests/conftest.py. The tests start many processes, which compile
# docai each time where bytecode is not kept.
PYTEST ?= --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
SOURCES := docai models parsers pipelines samples examples .ci tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types format docs sample schema pages bench peers peers-env ecosystem-env build hooks clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## Install, read samples/report.pdf, show what was found
	@$(BIN)/docai models fetch slanet || echo "Tables in pictures are read without SLANet."
	@echo "Reading samples/report.pdf; this takes some seconds."
	@$(BIN)/docai process samples/report.pdf -o $(OUT)/report.json --overlay $(OUT)/overlay --overwrite \
	  || { code=$$?; [ $$code -eq 3 ] || exit $$code; \
	       echo "Some answers have errors (docai's exit code 3): each is an issue of its record."; }
	@$(BIN)/docai view $(OUT)/report.json --source samples/report.pdf 2>/dev/null
	@echo "The JSON is in $(OUT)/report.json, the pages with the regions drawn on them in $(OUT)/overlay/."
	@echo "Open $(OUT)/report.view.html in a browser: each record beside its picture, and how sure it is."

test: $(VENV)/.dev ## Install with the development tools, run the tests
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(PYTEST)

check: lint types test ## All checks of a change: lint, types, tests

lint: $(VENV)/.dev ## Linter and formatter (ruff), contracts of imports (import-linter), changing nothing
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/python .ci/check_imports.py

types: $(VENV)/.dev ## Type checker (mypy --strict) over the package in its installed layout
	$(BIN)/python .ci/check_types.py

format: $(VENV)/.dev ## Format and mend what ruff can mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.dev ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

sample: $(VENV)/.dev ## Make samples/report.pdf and its truth file again
	$(BIN)/python samples/make_report.py

schema: $(VENV)/.dev ## Write docai/schema.json again after a change of the records
	$(BIN)/python -m docai.schema

pages: $(VENV)/.dev ## Write the parts of docs/ that come from the code again
	$(BIN)/python .ci/docs_pages.py

bench: $(VENV)/.dev ## Measure region finding and the embedded model (several minutes)
	$(BIN)/python benchmarks/regions.py
	$(BIN)/python benchmarks/regions.py --scan
	$(BIN)/python benchmarks/nano.py
	$(BIN)/python benchmarks/engine.py

peers: $(VENV)/.dev peers-env ## Measure docai beside other tools, write benchmarks/RESULTS.md
	$(BIN)/python benchmarks/peers/run.py --write

peers-env: .venv-peers/.installed ## Environment of the Python tools that docai is measured beside

ecosystem-env: .venv-ecosystem/.installed ## Environment of the libraries that read what docai exports, for its tests

build: $(VENV)/.dev ## Build the source distribution and the wheel into dist/
	rm -rf build dist
	$(BIN)/python -m build

hooks: $(VENV)/.dev ## Run lint and types before each commit, the tests before each push
	$(BIN)/pre-commit install

clean: ## Remove what the other targets made, the virtual environment too
	rm -rf $(VENV) .venv-peers .venv-ecosystem $(OUT) build dist site *.egg-info .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps make an installation again whenever what it depends on has changed.
$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing docai into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@$(BIN)/python .ci/checkout_path.py
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing docai and its development tools into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[eval]' \
	  || echo "GriTS and OMR-NED stay unmeasured: their packages could not be built (pylcs wants a C++ compiler)."
	@$(BIN)/python .ci/checkout_path.py
	@$(BIN)/python .ci/package_view.py 2>/dev/null
	@touch $@ $(VENV)/.runtime

.venv-peers/.installed: benchmarks/peers/requirements.txt
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers/requirements.txt
	@touch $@

# ocrd is here for the schema of PAGE XML alone, without the services that it asks for.
.venv-ecosystem/.installed: tests/ecosystem.txt
	@$(PYTHON) -m venv .venv-ecosystem
	@.venv-ecosystem/bin/python -m pip install --quiet --requirement tests/ecosystem.txt
	@.venv-ecosystem/bin/python -m pip install --quiet --no-deps ocrd==3.13.3
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("docai needs Python 3.11 or later; name one: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
