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

# Most of a test is compiling: there LLVM need not optimise, nor XLA build its loops through MLIR.
# Notebooks compile as users do.
QUICK := --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false \
	--xla_cpu_parallel_codegen_split_count=1

# What takes long to compile is kept for the other worker, for processes that tests start and for
# the long tests, which come after the short ones; it begins empty with every `make test`.
COMPILED := $(CURDIR)/.pytest_cache/compiled
PYTEST := XLA_FLAGS="$(QUICK)" JAX_COMPILATION_CACHE_DIR="$(COMPILED)" \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.1 JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES=none \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test: lint types
	rm -rf "$(COMPILED)"
	$(PYTEST) -m "not slow"

test-all: test
	$(PYTEST) -m slow

docs: install
	$(BIN)/codespell tengri emulator train tools docs notebooks *.md
	$(BIN)/python -m tools.prose
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

train: install
	$(BIN)/tengri train sdss --set run.minutes=3

clean:
	rm -rf $(VENV) docs/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
