# make run, make test: everything a fresh machine needs. GNU Make 3.81 is enough.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

# Each process of a test would compile Lectern and the tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-rest check bench soak lock openapi clean

run: $(VENV)/ready
	$(BIN)/lectern serve

test: $(VENV)/ready
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

# What `make test` leaves out: each case on the other kind of database.
test-rest: $(VENV)/ready
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --the-rest

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.feed

soak: $(VENV)/ready
	$(BIN)/python -m tests.soak

openapi: $(VENV)/ready
	$(BIN)/lectern openapi openapi/openapi.json

# A Python without ensurepip (Debian's) makes an environment without pip; the system's pip fills it. The lock is complete,
# so nothing has to be resolved, and what is never imported need not be compiled: half of an install's time.
$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --without-pip $(VENV)
	test -x $(BIN)/pip || $(PYTHON) -m pip --python $(BIN)/python install pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
		-r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# Versions and hashes for every platform, and no host: requirements.lock is all that an install reads.
lock: $(VENV)/ready
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 --extra test pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
