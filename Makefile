# Two commands for a newcomer: make book, make test.
PYTHON ?= python3
VENV := .venv/bin
# Not the scripts beside it, which name the folder in which they were installed.
RUN := $(VENV)/python -m

.PHONY: book test renew lock clean

book: .venv/ready
	$(RUN) llmpower build $(if $(filter-out 0,$(ZIP)),--zip) $(if $(filter-out 0,$(PDF)),--pdf)

test: .venv/ready
	@echo "some thirteen minutes on two quiet cores, half of them in a browser or a kernel"
	$(RUN) llmpower check
	$(RUN) pytest

renew: .venv/ready
	$(RUN) llmpower renew

# The stamp comes last, so that an installation cut short is done again.
.venv/ready: requirements.lock pyproject.toml
	@echo "setting up .venv from requirements.lock: about two minutes the first time"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Needs uv; one version of each package for all Pythons and systems, no addresses.
lock:
	uv pip compile pyproject.toml --extra book --extra sweep --extra test --universal --fork-strategy fewest --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-annotate --output-file requirements.lock

clean:
	rm -rf _build
