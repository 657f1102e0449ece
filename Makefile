# Everything starts here: make demo, make test, make lint, make ui, make bench.
SHELL := /bin/bash
PYTHON ?= python3
CORPUS ?= demo

export AFFECTORY_HOME ?= $(CURDIR)/.affectory
export AFFECTORY_CORPORA ?= $(AFFECTORY_HOME)/corpora
export DAGSTER_HOME := $(AFFECTORY_HOME)/dagster
export MLFLOW_DISABLE_TELEMETRY := true
export HF_HUB_DISABLE_TELEMETRY := 1
# Most of this starts processes: without bytecode each compiles its packages anew, which takes 4 s for torch alone.
export PYTHONDONTWRITEBYTECODE :=
# `dg launch` needs a running deployment; the superseded command does not.
export PYTHONWARNINGS := ignore:Function `asset_materialize_command` is superseded
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Two test workers, a whole file each at a time, so that its fixtures are made once.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo corpora materialize study test test-slow lint docs ui bench lock

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: .venv/.ready ## create .venv from requirements.lock

.venv/.ready: requirements.lock pyproject.toml
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -r requirements.lock
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e .
	@touch $@

DEMO := $(AFFECTORY_HOME)/demo.done
SOURCES := requirements.lock examples/demo.yaml \
	$(shell find affectory assets ops pipelines resources -name '*.py' -o -name '*.j2' -o -name '*.css' -o -name '*.yaml')

demo: setup ## generate the demo corpus, materialise the whole lineage on it, print the table
	@$(MAKE) --no-print-directory --question $(DEMO) 2>/dev/null \
		&& echo "Nothing to recompute: corpus, code and configuration are unchanged since $$(date -r $(DEMO) '+%F %T')." || true
	@$(MAKE) --no-print-directory --silent $(DEMO)
	@python -m pipelines.summary demo

$(DEMO): $(SOURCES) $(wildcard $(AFFECTORY_CORPORA)/demo/*.csv $(AFFECTORY_CORPORA)/demo/media/*)
	@affectory demo-corpus $(AFFECTORY_CORPORA)/demo
	@$(MAKE) --no-print-directory corpora
	@$(MAKE) --no-print-directory materialize CORPUS=demo CONFIG=examples/demo.yaml
	@touch $@

corpora: setup ## register the corpus folders found in AFFECTORY_CORPORA as partitions
	@python -m pipelines.deployment
	@dagster asset materialize -m pipelines.definitions --select corpora -c pipelines/console.yaml

materialize: setup ## materialise the lineage of one corpus: make materialize CORPUS=name [CONFIG=run.yaml]
	@python -m pipelines.deployment
	@dagster asset materialize -m pipelines.definitions --select 'not (key:corpora or group:studies)' --partition $(CORPUS) -c pipelines/console.yaml $(if $(CONFIG),-c $(CONFIG))

study: setup ## run the studies of a corpus that is materialised: make study CORPUS=name [STUDY=mmgcn_study] [CONFIG=run.yaml]
	@python -m pipelines.deployment
	@dagster asset materialize -m pipelines.definitions --select '$(if $(STUDY),key:$(STUDY),group:studies) or group:reports' --partition $(CORPUS) -c pipelines/console.yaml $(if $(CONFIG),-c $(CONFIG))

test: setup ## run the default tests, the demo lineage included (3 minutes on two cores)
	@python -m pytest $(WORKERS)

test-slow: setup ## run the slow tests: killed processes, large networks, studies
	@python -m pytest $(WORKERS) -m 'slow and not real and not gpu'

lint: setup ## ruff, pyright and the import rules
	@ruff check . && ruff format --check . && pyright && lint-imports

docs: setup ## write the tables of the documents that list what the code has
	@python docs/tables.py

ui: setup ## the Dagster page on http://127.0.0.1:3000 and the MLflow page on http://127.0.0.1:5000
	@python -m pipelines.deployment
	@python -m pipelines.ui

bench: setup ## speed and memory, ratios in one run
	@affectory demo-corpus $(AFFECTORY_CORPORA)/demo
	@python benchmarks/extraction.py --corpus $(AFFECTORY_CORPORA)/demo
	@python benchmarks/store_columns.py
	@python benchmarks/study.py
	@python benchmarks/conversation_graph.py
	@python benchmarks/face_backbones.py

lock: ## compile requirements.lock anew (versions only, no addresses)
	@.venv/bin/uv pip compile --universal --python-version 3.11 --extra dev --no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements.lock
