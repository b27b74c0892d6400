# Every target does its own set-up. PYTHON is the interpreter that the virtual environment is made of.
PYTHON ?= python3.11
CORPUS ?= corpora/demo
MINUTES ?= 5
# Processes that run tests side by side; COVERAGE=yes measures it and holds it against tests/coverage.json
JOBS ?= $(shell nproc)
COVERAGE ?=
VENV := .venv
# Hundreds of processes import the same packages: what the first of them compiles is kept for the others.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint types fuzz samples venv clean

help:
	@echo "make demo      16 real objects all the way; the corpus goes to $(CORPUS)"
	@echo "make test      the whole test suite, JOBS=$(JOBS) tests at a time"
	@echo "make lint      style, formatting and types"
	@echo "make fuzz      property tests on random inputs, for MINUTES=$(MINUTES) or SECONDS="
	@echo "make samples   the sample assets, in .cache/samples"
	@echo "make venv      the virtual environment, in $(VENV)"
	@echo "make clean     delete the environment, samples and caches; corpora stay"

demo: $(VENV)/installed samples
	$(VENV)/bin/python -m pipeline.run --stage all --config workflows/demo.yaml --corpus $(CORPUS)

test: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python -m pytest tests -n $(JOBS) --maxprocesses 8 --dist loadgroup --no-loadscope-reorder \
		$(if $(COVERAGE),--cov --cov-report=json:.cache/coverage.json -p tests.coverage_floor)

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

types: $(VENV)/installed
	$(VENV)/bin/mypy

fuzz: $(VENV)/installed
	$(VENV)/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS),--minutes $(MINUTES))

samples: $(VENV)/installed
	@workflows/fetch_samples.sh

venv: $(VENV)/installed

# The stamp is written last: an installation that was stopped is taken up again. Python compiles what it imports; to
# compile all of it beforehand takes a minute.
$(VENV)/installed: pyproject.toml workflows/system-packages.txt
	@any_python=$$(command -v python3 || command -v "$(PYTHON)") \
		|| { echo "Python is missing: sudo apt-get install python3.11 python3.11-venv"; exit 1; }; \
	"$$any_python" workflows/check_system.py "$(PYTHON)"
	@echo "Setting up $(VENV): a few GB of packages, some minutes"
	@"$(PYTHON)" -m venv $(VENV)
	@$(VENV)/bin/python -m pip install -qq --upgrade "pip>=24"
	@$(VENV)/bin/python -m pip install -qq --no-compile --editable ".[dev]"
	@touch $@
	@echo "$(VENV) is ready"

clean:
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
