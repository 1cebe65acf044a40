# Each target is one script in .ci/, which continuous integration runs as well.
.PHONY: run test setup check e2e gate chaos chaos-short mutants bench bundle setup-clis clean
.DEFAULT_GOAL := run

run: ## the window; without a display the demo session in the terminal
	@.ci/launch

test: ## everything that can fail: core, window, real CLIs, the real window under Xvfb
	@.ci/test

setup: ## system packages (Debian, Ubuntu) and the window's npm packages
	@.ci/setup test

check: ## formatting, lints, types, boundaries between the layers
	@.ci/check

e2e: ## only the test of the real window
	@.ci/e2e

chaos: ## what is promised under faults: kills, hostile output, load, full disks, leaks; at most 30 minutes
	@.ci/chaos

chaos-short: ## the same in less than 8 minutes; `make test` runs it too
	@.ci/chaos --short

gate: ## what the gate catches and what it believes: 60 diffs, scripted reviewers (`.ci/gate --agents real`: your own CLIs)
	@.ci/gate

mutants: ## small wrong changes to the core; the tests must notice at least 85 % of them (20 minutes)
	@.ci/mutants

bench: ## the figures that issue 2 asks for
	@.ci/bench

bundle: ## a .deb below target/release/bundle/deb
	@.ci/bundle

setup-clis: ## the pinned claude, codex and gemini into .clis/, for the acceptance tests
	@.ci/setup-clis

clean: ## everything that was built; .clis/ stays
	cargo clean
	rm -rf ui/node_modules ui/dist gen
