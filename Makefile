# Everything a newcomer needs: `make demo` shows the main job, `make test` runs all tests; both do the set-up.
# The Python environment and the lab's images are kept in the user's cache folder.

SUITES ?= bookworm trixie
VENV = $$(tools/setup)
PYTEST = "$$venv/bin/python" -m pytest
# Programs of others that tests compare with; a test says so where one cannot be had.
ORACLES = { "$$venv/bin/python" -m tests.support.realstore || :; "$$venv/bin/python" -m tests.support.libvirt_xl || :; }

.PHONY: help setup demo test unit conformance fuzz sweep golden-test lab-test lint bench bench-simulated golden clean

help:
	@echo "make demo       build and boot a Xen-on-ARM host in QEMU, create the example guest in it"
	@echo "make test       all tests: unit, golden, and in the lab (real Xen 4.17 and 4.20)"
	@echo "make unit       the fast tests only"
	@echo "make conformance our XenStore beside the real xenstored, from Debian's packages"
	@echo "make fuzz       100,000 hostile inputs for each parser; COUNT=1000000 or SEED=... for others"
	@echo "make sweep      every fault at every call of create, attach, detach, destroy and gc; a share is in the unit tests"
	@echo "make bench      the next, and then against xl, in the lab"
	@echo "make bench-simulated  the simulated host and its store, beside the real daemons, with sweep and fuzz; no lab"
	@echo "make golden     make the golden files anew (needs the lab)"
	@echo "make lint       ruff, mypy, import rules"

setup:
	@tools/setup >/dev/null

demo:
	@venv=$(VENV) && "$$venv/bin/python" examples/demo.py

test:
	@venv=$(VENV) && $(ORACLES) && XENVM_LAB=1 XENVM_LAB_SUITES="$(SUITES)" $(PYTEST) tests

unit:
	@venv=$(VENV) && $(PYTEST) tests/unit tests/contract tests/golden

conformance:
	@venv=$(VENV) && "$$venv/bin/python" -m tests.support.realstore && \
		CI=1 XENVM_STREAM=10000 XENVM_KILLS=200 $(PYTEST) tests/conformance

fuzz:
	@venv=$(VENV) && "$$venv/bin/python" -m tests.fuzz --count $${COUNT:-100000} $${SEED:+--seed $$SEED}

sweep:
	@venv=$(VENV) && XENVM_SWEEP=full $(PYTEST) -q -s tests/unit/ops/test_gc_sweep.py

lab-test:
	@venv=$(VENV) && XENVM_LAB=1 XENVM_LAB_SUITES="$(SUITES)" $(PYTEST) tests/lab

lint:
	@venv=$(VENV) && $(PYTEST) -q tests/unit/test_house.py

bench:
	@$(MAKE) --no-print-directory bench-simulated || missed=1; venv=$(VENV) && \
		"$$venv/bin/python" -m bench $(SUITES) && "$$venv/bin/python" -m bench.store_client && exit $${missed:-0}

bench-simulated:
	@venv=$(VENV) && "$$venv/bin/python" -m bench.simulated

golden:
	@venv=$(VENV) && "$$venv/bin/python" -m tests.golden.regenerate $(SUITES)

clean:
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
