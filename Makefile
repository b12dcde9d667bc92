# What there is to do here, each by one word. `make` alone lists them.
#
# CARGO_TARGET_DIR is honoured throughout. The recipes are short on purpose: what is longer is a script in scripts/,
# which can be read, checked and run by itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TARGET = $(or $(CARGO_TARGET_DIR),target)

.PHONY: help
help: ## list these
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do
		printf '  make %-10s %s\n' "$$name" "$$what"
	done

.PHONY: demo
demo: ## a host, Quaymaster and a running sample app, from nothing; Ctrl-C ends it all
	@exec scripts/demo

.PHONY: build
build: dashboard ## the dashboard and the release binary
	@cargo build --locked --release
	@echo "built $(TARGET)/release/quaymaster"

.PHONY: run
run: build ## the release binary, for real use; settings from the environment and .env
	@exec $(TARGET)/release/quaymaster serve

.PHONY: dev
dev: dashboard ## a debug build on port 8080, and the dashboard with live reload on 5173
	@cargo build --locked
	trap 'kill $$(jobs -p) 2>/dev/null; wait' EXIT
	trap 'exit 0' INT TERM
	$(TARGET)/debug/quaymaster serve &
	npm --prefix frontend run dev &
	wait -n

.PHONY: dashboard
dashboard: ## frontend/dist, if its sources changed
	@scripts/build-dashboard

.PHONY: test
test: ## every test, against real Postgres, sshd and Docker of their own
	@scripts/test

.PHONY: lint
lint: ## formatting, clippy, shellcheck, the dashboard's lints, the recorded statements, the dependencies' rules
	@scripts/lint

.PHONY: bench
bench: ## a start through the API against the same over plain ssh
	@exec scripts/bench

.PHONY: spec
spec: ## write openapi/openapi.json anew
	@mkdir -p openapi
	cargo run --locked --quiet -- openapi >openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json
	echo "wrote openapi/openapi.json; 'make types' follows"

.PHONY: types
types: ## write the dashboard's types anew from openapi/openapi.json
	@npm --prefix frontend run types

.PHONY: prepare
prepare: ## write .sqlx anew: what Postgres says about each statement
	@scripts/prepare-queries

.PHONY: check
check: lint test ## everything that CI does
