# `make demo` runs the main job, `make test` passes the tests; either makes the environments it needs first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
EXTRAS ?= report,dev
# A second environment, with the last datasets that runs script files and without torch.
SCRIPTS_VENV ?= .venv-scripts

.PHONY: demo test check lint types unit scripts cards clean

demo: $(VENV)/installed
	$(VENV)/bin/emobox demo

test: check scripts

check: lint types unit

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .

types: $(VENV)/installed
	$(VENV)/bin/mypy

unit: $(VENV)/installed
	$(VENV)/bin/python -m pytest -m "not scripts" --numprocesses auto --maxprocesses 4 --dist loadfile

scripts: $(SCRIPTS_VENV)/installed
	$(SCRIPTS_VENV)/bin/python -m pytest tests/hub tests/loading_scripts

# Write cards, loading scripts and the README's table of corpora again, after a spec has changed.
cards: $(VENV)/installed
	$(VENV)/bin/python -m emobox_hf.hub.cards .

# PyTorch comes first and pinned: any later requirement is then content with it, and no CUDA build is fetched.
$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

# The package without its dependencies, since torch is one of them, then what the loading scripts need.
$(SCRIPTS_VENV)/installed: setup.cfg pyproject.toml constraints-scripts.txt
	$(PYTHON) -m venv $(SCRIPTS_VENV)
	$(SCRIPTS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement constraints-scripts.txt
	$(SCRIPTS_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) $(SCRIPTS_VENV) build dist *.egg-info
