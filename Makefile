# The one entry: `make demo`, `make test`, and the words of an operator (`make help`).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help dev chaos faults demo configs check plan apdb-init submit submit-templates submit-diffim resume cancel status \
	failures runs summary report lint types format test test-fast notebook reference docs docs-links slurm-test wheel-test version release clean

VENV ?= .venv
BIN := $(VENV)/bin
# A Python of 3.12 or newer: the first that is found on PATH or under pyenv; PYTHON=… overrides.
PYTHON ?= $(shell tools/find-python)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables, such as make submit CAMPAIGN=mine.yaml:"
	@awk -F '## ' '/^# [A-Z_]+ +## / {sub(/^# /, "", $$1); printf "  %-23s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up -------------------------------------------------------------------------------------------
dev: apart $(VENV)/.installed ## make the environment (.venv), if it is not there or its inputs changed

# A stack that is set up in the shell would be mixed into it: EUPS names packages in PYTHONPATH.
STACK := $(if $(value SETUP_CTRL_BPS),set up)
.PHONY: apart stack
apart:
	@test -z "$(STACK)" || { echo "lsst_distrib is set up in this shell, and .venv must not see it: take another shell" >&2; exit 1; }

stack:
	@command -v $(APCAMPAIGN) >/dev/null || { echo "lsst_distrib is set up in this shell, and it has no \
	apcampaign: pip install --user $(CURDIR)" >&2; exit 1; }

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt tools/find-python
	@test -n "$(PYTHON)" || { echo "apcampaign needs Python 3.12 or newer, and none was found (looked for \
	python3.13, python3.12, python3.14, python3 and pyenv's). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	$(BIN)/python -c 'from apcampaign.common import zipfile_fix; zipfile_fix.install()'
	@mkdir -p .ns/apcampaign && cd .ns/apcampaign && rm -f * && \
	for package in ../../*/__init__.py; do ln -s "$$(dirname $$package)" .; done && \
	for module in ../../src/apcampaign/*; do ln -s "$$module" .; done
	@touch $@

# ---- campaigns ----------------------------------------------------------------------------------------
# Variables of an operator, which go through the environment, so that nothing of them is read by the shell, and as
# they are, so that Make reads nothing in them either:
# CAMPAIGN  ## the campaign file (campaign.yaml)
# TRACTS    ## tracts, such as "3828 3829" or 3828..3830
# BANDS     ## bands, such as gri
# DAY_OBS   ## the observing night, such as 20260905
# BUTLER    ## the Butler repository
# SITE      ## where jobs run: a site that `apcampaign sites` lists, or a site file
# DB        ## the database of the APDB: postgresql://user@host/database (apdb-init)
# NAMESPACE ## the APDB's namespace
# RUNS      ## the folder of all runs (runs)
# PYTHON    ## a Python of 3.12 or newer (dev)
# APCAMPAIGN ## the command (that of .venv; where lsst_distrib is set up: apcampaign)
# WORKERS   ## how many files of tests at a time (test)
# SEEDS     ## the seeds of the random campaigns, such as 1..40 (chaos)
# FAULTS    ## the folder of what the faults have led to (faults)
# VENV      ## the folder of the environment (.venv)
# VERSION   ## the version to write, such as 0.2.0 (version)
OPERATOR := CAMPAIGN TRACTS BANDS DAY_OBS BUTLER SITE NAMESPACE RUNS
define pass
export APCAMPAIGN_$(1) := $$(or $$(value $(1)),$$(value APCAMPAIGN_$(1)))
endef
$(foreach variable,$(OPERATOR),$(eval $(call pass,$(variable))))
# Make would expand them once more if it exported them itself; and jobs need no Make.
unexport $(OPERATOR) DB MAKEOVERRIDES MFLAGS
# Remedies then name Make targets.
export APCAMPAIGN_FROM_MAKE := 1
# The command of the environment that `make dev` makes, or the one that was installed into lsst_distrib.
APCAMPAIGN ?= $(if $(STACK),apcampaign,$(BIN)/apcampaign)
READY := $(if $(filter $(BIN)/apcampaign,$(APCAMPAIGN)),dev,$(if $(STACK),stack))

demo: dev ## run a whole small campaign on this machine (about six minutes)
	$(BIN)/apcampaign demo $(if $(value SITE),--site "$$APCAMPAIGN_SITE")

configs: $(READY) ## write the pair of BPS configs into configs/
	$(APCAMPAIGN) generate

check: $(READY) ## check the whole campaign, changing nothing
	$(APCAMPAIGN) check

plan: $(READY) ## forecast what will run and what it will take
	$(APCAMPAIGN) plan

apdb-init: export APCAMPAIGN_DB := $(or $(value DB),$(value APCAMPAIGN_DB))
apdb-init: $(READY) ## make an empty APDB: make apdb-init DB=postgresql://user@host/database
	$(APCAMPAIGN) apdb init

submit: $(READY) ## submit both steps as one HTCondor DAG
	$(APCAMPAIGN) submit

submit-templates: $(READY) ## submit the first step: make submit-templates TRACTS="3828 3829"
	$(APCAMPAIGN) submit templates

submit-diffim: $(READY) ## submit the second step when the first one's templates are there: waits for them
	$(APCAMPAIGN) submit diffim --wait

resume: $(READY) ## continue after a failure
	$(APCAMPAIGN) resume

cancel: $(READY) ## cancel the running jobs
	$(APCAMPAIGN) cancel

status: $(READY) ## show the progress
	$(APCAMPAIGN) status

failures: $(READY) ## show what failed, and what to do next
	$(APCAMPAIGN) failures

runs: $(READY) ## list the runs
	$(APCAMPAIGN) runs

summary: $(READY) ## summarise the results
	$(APCAMPAIGN) summary

report: $(READY) ## write one HTML page of what the campaign does and of its results
	$(APCAMPAIGN) report

# ---- checks -------------------------------------------------------------------------------------------
lint: dev types ## ruff (style, docstrings, security) and mypy --strict
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: dev
	$(BIN)/mypy -p apcampaign $(patsubst %,-m %,$(basename $(notdir $(wildcard benchmarks/*.py tools/*.py))))

format: dev ## let ruff fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Three files at a time: on two cores a campaign waits for its pool as often as it works. WORKERS=0: one after another.
# The files that take longest begin first, so that no worker is left with one at the end.
WORKERS ?= 3
test: dev ## lint, types (tests/test_lint.py) and all tests, on a real HTCondor pool and a real PostgreSQL
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: dev ## the tests that take neither a server nor several seconds
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not slow and not htcondor and not postgres"

SEEDS ?= 1..3
chaos: dev ## kill, restart and cancel campaigns at random (SEEDS="1..40")
	SEEDS="$(SEEDS)" $(BIN)/pytest -n $(WORKERS) tests/chaos

FAULTS ?= build/faults
faults: dev ## let every call of every command fail in every way, and write docs/faults.md anew (FAULTS=folder)
	$(BIN)/python benchmarks/faults.py "$(FAULTS)" --table docs/faults.md

notebook: dev ## run docs/notebook.ipynb again, in a folder that is removed, and keep its results
	$(BIN)/python tools/run_notebook.py docs/notebook.ipynb

reference: dev ## write what the documents have from the code anew, and the schema of campaign files
	$(BIN)/python tools/renew_reference.py

docs: $(VENV)/.docs ## make the documents into a site, build/docs/index.html, and check the links within it
	$(BIN)/sphinx-build -E -W --keep-going -q -d build/doctrees -b html docs build/docs
	@echo "the site is in build/docs/index.html"

docs-links: $(VENV)/.docs ## check the links of the documents to other sites
	$(BIN)/sphinx-build -q -d build/doctrees -b linkcheck docs build/docs-links

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

slurm-test: dev ## run a small campaign on a real Slurm, of Debian's packages
	$(BIN)/python tools/slurm_test.py

wheel-test: dev ## build the wheel, install it alone, and use it far from the clone
	rm -rf build dist/wheel-test && $(BIN)/pip wheel --quiet --no-deps --wheel-dir dist/wheel-test .
	tools/wheel-test "$(PYTHON)" dist/wheel-test/apcampaign-*.whl

version: dev ## write the version where it stands, and date the changelog: make version VERSION=0.2.0
	$(BIN)/python tools/release.py --set "$(VERSION)"

release: $(VENV)/.release ## build, check and install what would be released; uploads nothing
	$(BIN)/python tools/release.py

$(VENV)/.release: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	@touch $@

clean: ## remove what make made, except runs/ and demo/
	rm -rf $(VENV) .ns build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
