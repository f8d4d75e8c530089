# `make demo` and `make test` do all of their own set-up, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAMPLE := samples/harbour.png

.PHONY: demo test docs matrix dist bench format samples clean

# The CPU build of torch is small; where the package index offers only the CUDA build, see README, "Install".
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("convviz needs Python 3.11 or newer: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[onnx]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

demo: $(VENV)/.installed
	$(BIN)/convviz run $(SAMPLE) --out-channels 6 --padding 1 --output demo.png
	@echo "The picture is $(CURDIR)/demo.png"
	@echo "For the commands of the README: . $(VENV)/bin/activate"

# Most tests start processes, each of which would compile convviz again without stored byte code.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --dist worksteal

# Every warning is an error. Open build/docs/index.html; no server is needed.
docs: $(VENV)/.installed-dev
	@echo "This takes a minute or two."
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet docs build/docs

# Uses the wheel on every version of Python that is installed here, and says which it skipped.
matrix: $(VENV)/.installed-dev
	$(BIN)/python tests/release/matrix.py

# What a release uploads, in dist.
dist: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python -m twine check --strict dist/*

# About 25 minutes; writes benchmarks/RESULTS.md.
bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python benchmarks/bench.py --output benchmarks/RESULTS.md

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

samples: $(VENV)/.installed
	$(BIN)/python samples/make_samples.py

clean:
	rm -rf $(VENV) dist build demo.png
