# What each target does is in README.md and CONTRIBUTING.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# One build, one profile, for tests and demo alike.
export CARGO_INCREMENTAL ?= 1
# An installation of Rust of a moment ago is not on PATH yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

PREFIX ?= $(HOME)/.local

.PHONY: help demo test soak install bench lint setup build

help:
	@echo 'make demo     do the main job for real, on a small repository or REPO=PATH'
	@echo 'make test     install what is missing, run every suite'
	@echo 'make lint     formatters and linters'
	@echo 'make bench    measure, side by side'
	@echo 'make install  put aloft and aloft-cloud on PATH'

setup:
	@scripts/setup.sh

build:
	@cargo build --workspace --all-targets --quiet

demo: setup
	@cargo build --workspace --bins
	@scripts/demo.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

test: setup
	@scripts/test.sh

soak: setup
	@ALOFT_SOAK=1 scripts/test.sh
	@scripts/breaks.sh

bench:
	@scripts/setup.sh bench
	@scripts/bench.sh

install: setup
	cargo build --workspace --bins --release
	install -D -m 0755 target/release/aloft '$(PREFIX)/bin/aloft'
	install -D -m 0755 target/release/aloft-cloud '$(PREFIX)/bin/aloft-cloud'
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) echo 'put $(PREFIX)/bin on your PATH' ;; esac
