# Type `make` for what there is. Everything runs in an environment of its own (VENV) that the first
# command makes; it is made again when the requirements change.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
ARGS ?=
# The commits that bench-compare compares.
A ?= main
B ?= HEAD
# How many tests run side by side, for two cores: most of them wait for something. 0: one after the other.
JOBS ?= 4

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
MINOR := import sys; print(*sys.version_info[:2])
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3

# The first that is new enough and can make environments, else the first that is new enough.
PYTHON ?= $(firstword $(shell for module in ensurepip sys; do for python in $(CANDIDATES); do \
	"$$python" -c "import $$module; $(NEW_ENOUGH)" 2>/dev/null && echo "$$python" && break 2; done; done))

# With this variable, each process of the tests would rewrite and compile all test files again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test engines soak bench-compare lint format docs messages screenshots wheel clean always

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP) ## page, worker and Redis on this machine; PORT, REDIS_URL, DATABASE_URL are honoured
	@$(BIN)/python -m mqsite.devserver

test: $(STAMP) ## the tests; some of them only: make test ARGS="-k name"
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(STAMP) ## the tests that take minutes
	@$(BIN)/python -m pytest -m soak --timeout 3600 -o faulthandler_timeout=3700 $(ARGS)

bench-compare: $(STAMP) ## what has changed in cost between two commits: make bench-compare A=main B=HEAD
	@$(BIN)/python -m benchmarks.compare $(A) $(B) $(ARGS)

engines: $(STAMP) ## client, wire and kills on Redis 6.2, Valkey 8 and Valkey 9, whose packages it downloads
	@.ci/engines $(BIN)/python

lint: $(STAMP) ## rules and format (ruff), directions of imports (import-linter), types (mypy)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/python -m mypy
	@$(BIN)/python -m tests.plain_english

format: $(STAMP) ## format the code and mend what ruff can
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

docs: $(STAMP) ## the documentation, in build/docs; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

messages: $(STAMP) ## bring the translations in locale/ up to date with the code; needs gettext
	@$(BIN)/python manage.py makemessages --all --no-obsolete --no-wrap --add-location file \
		$(foreach folder,.venv* build dist docs tests benchmarks var staticfiles,--ignore '$(folder)')
	@cd queueing && $(abspath $(BIN))/python -P -m django compilemessages
	@cd jobs && $(abspath $(BIN))/python -P -m django compilemessages

screenshots: $(STAMP) ## make docs/pictures/ again, of a site that runs for them; needs Redis and Chromium
	@$(BIN)/python -m docs.screenshots

wheel: $(STAMP) ## dist/: wheel and source distribution of the queue, for other projects
	@$(BIN)/python -m build

clean: ## remove what was made, but not var/ with its messages and database
	rm -rf $(VENV) build dist staticfiles *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that was named, and is not the one of the environment, makes it again.
ifneq ($(origin PYTHON),file)
ifneq ($(shell "$(PYTHON)" -c '$(MINOR)' 2>/dev/null),$(shell $(BIN)/python -c '$(MINOR)' 2>/dev/null))
OTHER_PYTHON := always
endif
endif

# The stamp comes last: an environment that was made by half is made again.
$(STAMP): requirements.txt requirements-dev.txt $(OTHER_PYTHON)
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed: install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments:" \
		"install its venv package (Debian, Ubuntu: apt install" \
		"$$("$(PYTHON)" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'))" >&2; exit 1; }
	@test -z "$(OTHER_PYTHON)" && $(BIN)/python -m pip --version >/dev/null 2>&1 \
		|| "$(PYTHON)" -m venv --clear $(VENV)
	@echo "Installing what requirements-dev.txt names into $(VENV) ..."
	@PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
		$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@
