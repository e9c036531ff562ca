# PilotShare (中试共享). `make` alone prints what there is.
.DEFAULT_GOAL := help
.PHONY: help setup run test check bench lock reset

PY := .venv/bin/python

help: ## print this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## virtual environment, locked packages, front end
	@bash .ci/setup

run: setup ## set up and run everything; Ctrl-C stops it
	@exec .venv/bin/flask --app app up

test: setup ## the whole suite, on a real PostgreSQL, broker and Chromium
	@bash .ci/test-machine
	@$(PY) -m pytest

check: setup ## style, types, who may import whom
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup ## speed, each figure as a ratio to its floor in the same run
	@for one in booking calendar ingest metering sealing billing subsidy city dossier; do $(PY) -m bench.$$one || exit 1; done

lock: ## resolve the locked packages anew
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements.in -o requirements.txt
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements-dev.in -o requirements-dev.txt

reset: ## throw the data of this machine away and start over at the next run
	@bash .ci/reset
