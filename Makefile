# Two commands do it all on a fresh machine: `make report` and `make test`. Another interpreter:
# `make clean`, then `make PYTHON=python3.12 ...`.
PYTHON ?= python3
RUN := .venv/run
DEV := .venv/dev
NEWEST := .venv/newest
PACKAGE := $(shell find src models_onnx -type f -not -name '*.pyc') pyproject.toml

.PHONY: report test test-all newest newest-all lint types artifacts benchmarks proofs clean

report: $(RUN)/.installed
	$(RUN)/bin/aegismatrix report --sample --out out

test: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -n 2 --dist worksteal -m "not slow" $(PYTEST)

# What `make test` ran, it does not run again.
test-all: test
	$(DEV)/bin/python -m pytest -n 2 --dist worksteal -m slow $(PYTEST)

# The same on the newest Python, numpy, onnxruntime and all else: nothing is pinned but torch, of
# which the newest would bring gigabytes more.
newest: $(NEWEST)/.installed
	$(NEWEST)/bin/python -m pytest -n 2 --dist worksteal -m "not slow" $(PYTEST)

newest-all: newest
	$(NEWEST)/bin/python -m pytest -n 2 --dist worksteal -m slow $(PYTEST)

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .

types: $(DEV)/.installed
	$(DEV)/bin/mypy

artifacts: $(DEV)/.installed
	$(DEV)/bin/python scripts/train.py
	$(DEV)/bin/python scripts/export.py $(if $(FORCE),--force '$(FORCE)')
	$(DEV)/bin/python scripts/documents.py
	$(DEV)/bin/python scripts/picture.py

benchmarks: $(DEV)/.installed
	$(DEV)/bin/python benchmarks/speed.py
	$(DEV)/bin/python benchmarks/forests.py

# An hour or more: every bit flip, manifests of nothing, every thread, every version that has wheels.
proofs: $(DEV)/.installed
	$(DEV)/bin/python benchmarks/flips.py
	$(DEV)/bin/python benchmarks/mutations.py
	$(DEV)/bin/python benchmarks/drift.py
	$(DEV)/bin/python benchmarks/peers.py
	$(DEV)/bin/python benchmarks/opening.py --candidates 2000
	$(DEV)/bin/python benchmarks/null_verdicts.py
	$(DEV)/bin/python benchmarks/load.py
	$(DEV)/bin/python benchmarks/portability.py
	$(DEV)/bin/python benchmarks/portability.py --others
	$(DEV)/bin/python benchmarks/portability.py --processors

$(RUN)/.installed: $(PACKAGE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check '.[report]'
	@touch $@

$(DEV)/.installed: pyproject.toml exporters/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]' --editable './exporters[rescue,train]'
	@touch $@

$(NEWEST)/.installed: $(DEV)/.installed
	rm -rf $(NEWEST)
	"$$($(DEV)/bin/python benchmarks/portability.py --newest)" -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 || \
	  echo "There is no torch 2.13.0 for this Python: what trains is not tested on it." >&2
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	  --editable "./exporters[rescue$$($(NEWEST)/bin/python -c 'import torch' 2>/dev/null && echo ,train)]"
	@touch $@

clean:
	rm -rf .venv build dist out
