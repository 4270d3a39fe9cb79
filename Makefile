# `make serve` starts the gateway, `make test` runs the tests; `make help` lists the rest.
PYTHON ?= python3
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help env serve test lint bench clients soak fuzz lock prices clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

env:  ## build the environment in .venv, so that .venv/bin/encke can be used by hand
	@tools/env serve
	@echo "The environment is complete. The program is .venv/bin/encke"

# The second line replaces its shell, so that nothing stands between the terminal's Ctrl-C and the gateway.
serve:  ## start the gateway; Ctrl-C ends it and everything it started
	@tools/env serve
	@tools/compile
	@PYTHONPATH="$(CURDIR)/.venv/fast" exec .venv/bin/encke serve

test:  ## run all tests (T="tests/http -k head" chooses some)
	@tools/env dev
	@tools/run_tests $(T)

lint:  ## style, formatting, types, and what must not be in the tree
	@tools/env dev
	@tools/lint

bench:  ## measure Encke beside nginx (B="--quick" shows that it works; PEER=litellm adds that gateway)
	@tools/env dev
	@tools/compile
	@$(if $(PEER),bench/peer $(PEER))
	@PYTHONPATH="$(CURDIR)/.venv/fast" exec .venv/bin/python bench/run.py $(if $(PEER),--peer $(PEER)) $(B)

clients:  ## Claude Code, Codex, LangChain and others in front of the gateway (installs 2 GB; T="-k codex" chooses)
	@tools/env dev
	@tools/clients $(T)

soak:  ## the long tests, for hours (S="leaks reuse" chooses parts, S=--list names them)
	@tools/env dev
	@tools/compile
	@tools/soak $(S)

SECONDS ?= 600

fuzz:  ## fuzz the parsers (T="sse server" chooses, SECONDS=60 each; all for ten minutes each)
	@tools/env dev
	@tools/fuzz $(T) $(SECONDS)

lock:  ## make the lock files anew from pyproject.toml and requirements-dev.in
	@tools/lock

prices:  ## make the price file anew from genai-prices (newest: tools/lock --upgrade-package genai-prices)
	@tools/env dev
	@.venv/bin/python -m tools.refresh_prices

clean:  ## remove what the targets above made; data folders stay
	rm -rf .venv dist bench/build tests/clients/node/node_modules tests/programs/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
