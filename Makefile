# `make test` on a fresh clone needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: install lint types test test-all docs train clean

install: $(BIN)/.installed

$(BIN)/.installed: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell tengri emulator train tools tests benchmarks docs notebooks data *.md

types: install
	$(BIN)/mypy

# Most of a short test is compiling: there LLVM need not optimise, nor XLA build its loops through
# MLIR (24 minutes with the first flag alone, 11 to 14 with all). Long tests compile as users do.
QUICK := --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false \
	--xla_cpu_parallel_codegen_split_count=1

test: lint types
	XLA_FLAGS="$(QUICK)" \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-all: test docs
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow

docs: install
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

train: install
	$(BIN)/tengri train sdss --set run.minutes=5

clean:
	rm -rf $(VENV) docs/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
