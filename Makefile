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
IMAGE_ARGS ?=
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' server/pyproject.toml)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CREATED = $(shell git show --no-patch --format=%cI HEAD 2>/dev/null || echo unknown)

.PHONY: help run test test-clients check format crds chart manifests docs images image-size e2e e2e-compose bench clean

help: ## show this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## run the whole server on this machine (ARGS="--port-base 20000")
	@$(BIN)/mailraven up $(ARGS)

test: $(READY) test-clients ## run all tests (ARGS="tests/config -k units")
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(READY) ## lint, format, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@for page in $(PAGES); do $(BIN)/mailraven docs $${page%.*} | diff -u docs/$$page - \
		|| { echo "docs/$$page is old: make docs"; exit 1; }; done
	@$(BIN)/python scripts/crds.py --check
	@scripts/manifests.sh --check

format: $(READY) ## format the code, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(READY) ## write the CRDs, the chart's copy of them and docs/crds.md
	@$(BIN)/python scripts/crds.py

chart: $(READY) ## lint the chart, render it, and ask kubeconform and a Kubernetes API server where they are there
	@for values in tests/chart/values/*.yaml; do helm lint --quiet --strict charts/mailraven --values $$values || exit 1; done
	$(BIN)/pytest tests/chart $(ARGS)

manifests: ## write manifests/install.yaml and the renders that tests/chart compares with
	@scripts/manifests.sh

docs: $(READY) ## write the generated documentation
	for page in $(PAGES); do $(BIN)/mailraven docs $${page%.*} > docs/$$page || exit 1; done

e2e: $(READY) ## MailRaven in a kind cluster, and what is tested there (ARGS="-k backup")
	@scripts/e2e-kind.sh $(ARGS)

e2e-compose: images $(READY) test-clients ## the tests with docker compose, on the images of here
	$(BIN)/pytest -m compose tests/e2e/compose $(ARGS)

bench: $(READY) ## measure, beside Postfix+Dovecot where they are installed
	$(BIN)/python tests/bench $(ARGS)

images: ## build mailraven-server:dev and mailraven-operator:dev (IMAGE_ARGS="--no-cache")
	@for image in server operator; do docker build $(IMAGE_ARGS) --file Dockerfile.$$image --tag mailraven-$$image:dev \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg CREATED=$(CREATED) . || exit 1; done

image-size: ## the ten largest things in each image
	@$(PYTHON) scripts/image_size.py mailraven-server:dev mailraven-operator:dev

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
