# Two commands for newcomers: `make demo` and `make test`. PYTHON=… names the interpreter to use (3.11 or later).
.DEFAULT_GOAL := help
.PHONY: help demo images test test-full lint docs clean
PYTHON ?=
export PYTHON

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## Install into .venv and run the example tasks on real images; results go to demo-results/
	@scripts/prepare.sh demo
	@.venv/bin/python scripts/demo.py

images: ## Build the container images of the examples (Docker or Podman; without a registry, from this machine)
	@scripts/build-example-images.sh

test: ## Install what the tests need and run them
	@scripts/prepare.sh test
	@scripts/prepare-services.sh
	@scripts/run-tests.sh

test-full: ## The same at full size (sets TRIVET_TEST_FULL=1)
	@scripts/prepare.sh test
	@scripts/prepare-services.sh
	@TRIVET_TEST_FULL=1 scripts/run-tests.sh

lint: ## Style, types and layers: ruff, mypy, import-linter
	@scripts/prepare.sh lint test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

docs: ## Build the documentation into site/
	@scripts/prepare.sh docs
	.venv/bin/python scripts/write_reference.py
	.venv/bin/zensical build --clean --strict

clean: ## Remove what the other targets made, the environments included
	rm -rf .venv .venv-tiny-tasks .venv-fractal-core demo-results site dist build
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
