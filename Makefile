# Every target sets up what it needs: a virtual environment in .venv with the tested versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
RUN_STAMP := .venv/.run-ready
KERNELS := .venv/.kernels-ready
NAME ?=

.PHONY: demo test check bench docs clean

$(BIN)/python:
	$(PYTHON) -m venv .venv

# The package alone, for its users' main job.
$(RUN_STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

# The package with every extra that the tests touch, and the developers' tools.
$(STAMP): $(RUN_STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[deep,databases,excel]' -r requirements-dev.txt
	@touch $@

# Compiled kernels are kept on disk, and one that calls another does not notice when that one has changed.
$(KERNELS): $(STAMP) $(wildcard src/cuvee/numeric/*.py)
	find src -name '*.nb[ic]' -delete
	@touch $@

demo: $(RUN_STAMP)
	$(BIN)/cuvee demo

test: $(KERNELS)
	$(BIN)/python -m pytest -n 2

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(KERNELS)
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=..., one of:"; ls benchmarks/*.py | xargs -n1 basename | sed 's/\.py$$//;s/^/  /'; exit 2; }
	$(BIN)/python benchmarks/$(NAME).py

# The documentation's code is run, and its pages are checked against what exists.
docs: $(STAMP)
	$(BIN)/python -m pytest tests/test_docs.py

clean:
	rm -rf .venv .cuvee cuvee-demo build dist .ruff_cache .hypothesis
