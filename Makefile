# `make demo` runs the main job, `make test` passes the tests; either makes the environments it needs first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
EXTRAS ?= report,dev
# A second environment, with the last datasets that runs script files and without torch.
SCRIPTS_VENV ?= .venv-scripts
# A third, of 6 GB, in which torchaudio and FunASR import; what it shows does not change from commit to commit.
TORCHAUDIO_VENV ?= .venv-torchaudio

.PHONY: demo test check lint types unit scripts faults torchaudio funasr cards clean

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
	$(VENV)/bin/python -m pytest -m "not scripts" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

scripts: $(SCRIPTS_VENV)/installed
	$(SCRIPTS_VENV)/bin/python -m pytest tests/hub tests/loading_scripts

# Every fault injected, in the long form; `make faults FAULTS=tests/faults/test_x.py` makes some rows of the table anew.
FAULTS ?= tests/faults
faults: $(VENV)/installed
	EMOBOX_FAULTS=benchmarks/faults.md $(VENV)/bin/python -m pytest $(FAULTS)

# EmoBox's resampling: ours is equal to it, and what soxr changes, in dB and in scores.
torchaudio: $(TORCHAUDIO_VENV)/installed
	$(TORCHAUDIO_VENV)/bin/emobox fetch polish
	$(TORCHAUDIO_VENV)/bin/emobox fetch whisper-tiny.en
	$(TORCHAUDIO_VENV)/bin/python benchmarks/perf/resamplers.py

# FunASR's emotion2vec: the native models give its frames, and the tests' table of them is what it computes.
funasr: $(TORCHAUDIO_VENV)/installed
	$(TORCHAUDIO_VENV)/bin/python tests/encoders/native/make_emotion2vec_reference.py

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

$(TORCHAUDIO_VENV)/installed: setup.cfg pyproject.toml constraints.txt constraints-torchaudio.txt
	$(PYTHON) -m venv $(TORCHAUDIO_VENV)
	sed '/^torch/d' constraints.txt > $(TORCHAUDIO_VENV)/constraints.txt
	$(TORCHAUDIO_VENV)/bin/pip install --quiet --disable-pip-version-check \
		--constraint $(TORCHAUDIO_VENV)/constraints.txt --requirement constraints-torchaudio.txt --editable .
	touch $@

clean:
	rm -rf $(VENV) $(SCRIPTS_VENV) $(TORCHAUDIO_VENV) build dist *.egg-info
