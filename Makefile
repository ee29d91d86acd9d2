# Everything here works on a fresh Debian 12 or Ubuntu that has Python >= 3.11 and make, as root or not:
# uv and all else go into .tools and .venv of this checkout.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
# A uv on the PATH is taken if it runs.
UV ?= $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/bin/uv)
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=
# Most tests wait more than they compute: one process more than CI has cores.
JOBS ?= 3
# Written by the program: `mailraven docs NAME`.
PAGES := configuration.md openapi.json cli.md

.PHONY: help run test test-clients check format docs e2e bench clean

help: ## show this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## run the whole server on this machine (ARGS="--port-base 20000")
	@$(BIN)/mailraven up $(ARGS)

test: $(READY) test-clients ## run all tests (ARGS="tests/config -k units")
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(or $(ARGS),tests)

check: $(READY) ## lint, format, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@for page in $(PAGES); do $(BIN)/mailraven docs $${page%.*} | diff -u docs/$$page - \
		|| { echo "docs/$$page is old: make docs"; exit 1; }; done

format: $(READY) ## format the code, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## write the generated documentation
	for page in $(PAGES); do $(BIN)/mailraven docs $${page%.*} > docs/$$page || exit 1; done

e2e: $(READY) test-clients ## only the tests with real mail clients
	$(BIN)/pytest tests/e2e $(ARGS)

bench: $(READY) ## measure, beside Postfix+Dovecot where they are installed
	$(BIN)/python tests/bench $(ARGS)

clean: ## remove what make made (not ./data)
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist bench-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

test-clients:
	@scripts/install-test-clients.sh

$(READY): pyproject.toml uv.lock $(wildcard */pyproject.toml) | $(if $(filter uv,$(UV)),,$(UV))
	@# The second try trusts the system's certificate authorities: a proxy in between may need that.
	@$(UV) sync --frozen --quiet || UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true $(UV) sync --frozen --quiet
	@touch $@

.tools/bin/uv:
	@$(PYTHON) scripts/bootstrap_uv.py
