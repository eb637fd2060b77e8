# make run, make test: everything a fresh machine needs. GNU Make 3.81 is enough.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
PYTEST = $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

# Each process of a test would compile Lectern and the tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test quick test-long test-rest durations check bench soak storm storm-memory lock openapi pictures clean

run: $(VENV)/ready
	$(BIN)/lectern serve

test: $(VENV)/ready-to-test
	$(PYTEST)

# While working: SQLite, no processes.
quick: $(VENV)/ready-to-test
	$(PYTEST) --quick

# What `make test` tries in part: every moment, every page, processes that are killed again and again. CI runs it, too.
test-long: $(VENV)/ready-to-test
	$(PYTEST) --long

# What both leave out: on PostgreSQL what is not about databases. For whoever prepares a release.
test-rest: $(VENV)/ready-to-test
	$(PYTEST) --the-rest

# Which tests take long: anew on two cores of which nothing else has need, when `make test` has become slow.
durations: $(VENV)/ready-to-test
	-$(PYTEST) --junitxml=build/usual.xml
	-$(PYTEST) --long --junitxml=build/long.xml
	$(BIN)/python -m tests.durations build/usual.xml build/long.xml

check: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready-to-test
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.feed
	$(BIN)/python -m tests.bench.sockets
	$(BIN)/python -m tests.bench.terms
	$(BIN)/python -m tests.bench.applying
	$(BIN)/python -m tests.bench.calendar
	$(BIN)/python -m tests.bench.rules
	$(BIN)/python -m tests.bench.console

soak: $(VENV)/ready-to-test
	$(BIN)/python -m tests.soak $(if $(HISTORIES),--histories $(HISTORIES))

# LANES=240: how many seconds two services take for documents that are cancelled on their way.
storm: $(VENV)/ready-to-test
	LANES=$(LANES) $(BIN)/python -m tests.storm
	$(BIN)/pytest --under-load

storm-memory: $(VENV)/ready-to-test
	$(BIN)/python -m tests.storm memory

# The console as docs/console.md shows it: a campus in the sandbox.
pictures: $(VENV)/ready-to-test
	$(BIN)/python -m tests.console.pictures

openapi: $(VENV)/ready
	$(BIN)/lectern openapi openapi/openapi.json

# The system's pip fills the environment: a pip of its own, from ensurepip, takes four seconds of the first `make run`.
# Where the system has none, or one before 22.3, ensurepip it is.
$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --no-compile pip 2>/dev/null || $(BIN)/python -m ensurepip

# A lock is complete, so nothing has to be resolved, and what is never imported need not be compiled: half of an
# install's time.
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-compile

$(VENV)/ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the service needs: $$(grep -c == $<) packages, about 90 MB ..."
	@$(INSTALL) --require-hashes -r $<
	@$(INSTALL) --quiet --no-build-isolation -e .
	@touch $@

$(VENV)/ready-to-test: requirements-test.lock $(VENV)/ready
	@echo "Installing what the tests need as well ..."
	@$(INSTALL) --quiet --require-hashes -r $<
	@touch $@

# What the service needs, and what the tests need as well: versions and hashes for every platform, and no host.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	pyproject.toml --extra build

lock: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra test --constraint requirements.lock -o requirements-test.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
