# SPDX-License-Identifier: Apache-2.0
#
# What a person runs. Each target works in a fresh clone: it makes a virtual
# environment in $(VENV) and installs there what it needs.

VENV ?= .venv
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $$each && break; done)

BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
REQUIREMENTS := requirements.txt test-requirements.txt \
	doc/requirements.txt sandbox/requirements.txt

.PHONY: help demo sandbox test clean

help:
	@echo 'make demo      see a scheduled backup happen, on a cloud of its own'
	@echo 'make sandbox   keep that cloud running, and say what to type'
	@echo 'make test      run everything that CI runs'
	@echo 'make clean     remove what these have made'

demo: $(INSTALLED)
	@$(BIN)/python -m sandbox.demo

sandbox: $(INSTALLED)
	@$(BIN)/python -m sandbox run

test: $(INSTALLED)
	@$(BIN)/python -m tools.run_tests

clean:
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sandbox stop; fi
	rm -rf $(VENV) .sandbox .stestr .coverage* cover doc/build

$(INSTALLED): $(REQUIREMENTS) sandbox/constraints.txt setup.cfg
	@if [ -z "$(PYTHON)" ]; then \
	echo 'Python 3.11 or later is needed, and none was found.' >&2; \
	exit 1; fi
	@echo 'Making the environment in $(VENV), which takes a minute or two ...'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	--constraint sandbox/constraints.txt \
	$(REQUIREMENTS:%=--requirement %) --editable .
	@touch $@
