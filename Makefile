# make run     serve the sample clusters on http://127.0.0.1:8000 (HOST, PORT, WORKERS)
# make test    every test on SQLite, then those that need a database on PostgreSQL
# make test-cluster  the tests on SQLite once more, with drafts on a Redis Cluster of three
# make coverage  those of make test, slower, and which lines no test has run
# make chaos   faults at random for some minutes (CHAOS_SECONDS, CHAOS_SEED)
# make soak    edits, watchers and commits for ten minutes; nothing may grow (SOAK_SECONDS, on Linux)
# make bench   measure against the targets, into docs/benchmarks.md (15 minutes, on Linux)
# make bench-quick  the same in two minutes, to look at
# make attacks  what strangers may try, into docs/attacks.md (on Linux)
# make lint    ruff, mypy strict, the floors of the architecture, the files of a deployment
# make audit   known vulnerabilities of what the locks pin (asks PyPI)
# make format  what ruff can mend
# make lock    resolve the dependencies of pyproject.toml anew
# make clean   remove what was made; the data of `make run` too

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-cluster coverage chaos soak bench bench-quick attacks lint audit format lock clean

BIN := .venv/bin
READY := .venv/.ready
# Each process has servers of its own. Tests wait more than they compute.
SIDE_BY_SIDE := -n 3 --dist worksteal
SOURCES := gql_cluster schema config benchmarks tests stubs asgi.py manage.py

export PYTHONUNBUFFERED = 1
# Each of many processes would compile all sources, and rewrite all asserts, by itself.
unexport PYTHONDONTWRITEBYTECODE
export HOST PORT WORKERS CHAOS_SECONDS CHAOS_SEED SOAK_SECONDS

help:
	@sed -n 's/^# //p' Makefile

run: $(READY)
	@exec $(BIN)/python -m config.run

test: $(READY)
	@echo "==> SQLite"; sqlite=0; $(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS) || sqlite=$$?; \
	echo "==> PostgreSQL"; postgres=0; \
	TEST_DATABASE=postgres $(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS) || postgres=$$?; \
	test $$sqlite = 0 || { echo "==> The tests fail on SQLite"; exit 1; }; \
	test $$postgres = 0 || { echo "==> The tests fail on PostgreSQL"; exit 1; }

test-cluster: $(READY)
	TEST_REDIS=cluster $(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS)

coverage: $(READY)
	$(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-report= $(ARGS)
	TEST_DATABASE=postgres $(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-append --cov-report=term $(ARGS)

chaos: $(READY)
	$(BIN)/pytest -s tests/e2e/chaos/long.py $(ARGS)

attacks: $(READY)
	$(BIN)/python -m tests.attacks

soak: $(READY)
	$(BIN)/pytest -s tests/e2e/soak/long.py $(ARGS)

bench: $(READY)
	@exec $(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(READY)
	@exec $(BIN)/python -m benchmarks --quick $(ARGS)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	DEBUG=1 $(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/caddy fmt --diff deploy/Caddyfile >/dev/null

# Not a part of lint: it can't be done offline, and what it finds changes while the code does not.
# What could not be asked for is a failure, too.
audit: $(READY)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes \
		--requirement requirements-service.lock --requirement requirements.lock

format: $(READY)
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

# The locks name no index host, and hold for every machine and both Pythons.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --quiet \
	--custom-compile-command "make lock"

lock: $(READY)
	$(BIN)/$(LOCK) --upgrade --all-extras --output-file requirements.lock
	$(BIN)/$(LOCK) --upgrade --extra service --extra postgres --extra traces --constraint requirements.lock \
		--output-file requirements-service.lock

clean:
	rm -rf .venv .run build dist .coverage htmlcov .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is what the lock says, and is made again only when that changes.
$(READY): requirements.lock
	@python=; for name in python3.11 python3.12 python3 python; do \
		if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; \
		then python=$$name; break; fi; \
	done; \
	test -n "$$python" || { echo "Python 3.11 or 3.12 is needed, and PATH has neither." >&2; exit 1; }; \
	echo "==> Making .venv with $$("$$python" --version); about a minute, once"; \
	"$$python" -m venv --clear .venv
	@echo "==> Installing what requirements.lock pins"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "==> Installing gql_cluster from here"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps \
		--no-build-isolation --editable .
	@touch $@
