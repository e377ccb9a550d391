# Two commands matter: `make run` and `make test`. Both install what they need into .venv first.
#   make run                 build, serve, replay real baskets, keep serving until Ctrl-C
#   make run ONCE=1          the same, but stop after the result table
#   make run PYTHON=/path/to/python3.11
#   make test                everything the project checks about itself
#   make bench               what recommendations cost, next to floors, other ways to serve, and a million products
#   make drills              fault drills, chaos and the fuzzer of `make test` in their full form, some minutes

PYTHON ?= python3.11
# Processes that run the tests: more than cores, since many tests wait for real parts to start and stop.
TESTERS ?= 3
BIN := .venv/bin
STAMP := .venv/.installed
# A Python that somebody names is looked at even when .venv is there already.
NAMED := $(if $(filter command environment,$(firstword $(origin PYTHON))),python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test drills bench check install lock python clean
.DEFAULT_GOAL := run

run: $(STAMP)
	@exec $(BIN)/tillwise run $(if $(ONCE),--once)

test: $(STAMP)
	@.ci/parts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

# DRILLS=full is the one difference to what `make test` runs; -rP shows what was killed how often.
drills: $(STAMP)
	@.ci/parts
	@DRILLS=full $(BIN)/python -m pytest tests/drills tests/benchmarks/test_chaos.py tests/serving/test_fuzz.py -rP

# Rests on what `make run` has built. BENCH="--seconds 5 --only recommendations" asks for less.
bench: $(STAMP)
	@$(BIN)/python -m benchmarks.bench $(BENCH)

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

install: $(STAMP)

# The stamp is written last: an interrupted install is taken up again, a finished one is left alone.
$(STAMP): requirements.lock pyproject.toml | $(NAMED)
	@$(MAKE) --no-print-directory python
	@echo "Installing the packages of requirements.lock into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { echo "Python's venv module could not create .venv; on Debian: apt-get install python3.11-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --only-binary=:all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

python:
	@found=$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null); \
	case "$$found" in \
	  3.11.*) ;; \
	  "") echo "Tillwise needs Python 3.11, and there is no working '$(PYTHON)' here: install it, or name one with PYTHON=/path/to/python3.11." >&2; exit 1;; \
	  *) echo "Tillwise needs Python 3.11, and '$(PYTHON)' is $$found: name another with PYTHON=/path/to/python3.11." >&2; exit 1;; \
	esac

# Resolves pyproject.toml afresh. The two floors admit pre-releases: the stable ones have no wheel that dvc accepts.
lock: python
	@rm -rf .venv-lock
	@$(PYTHON) -m venv .venv-lock
	@$(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); q = p["project"]; \
	  print(*p["build-system"]["requires"], *q["dependencies"], *q["optional-dependencies"]["dev"], sep="\n")' > .venv-lock/direct.txt
	@.venv-lock/bin/python -m pip install --only-binary=:all: -r .venv-lock/direct.txt "hydra-core>=1.4.0rc3" "omegaconf>=2.4.1rc1"
	@.venv-lock/bin/python -m pip check
	@{ echo "# Every package Tillwise runs on, pinned. Written by 'make lock' from pyproject.toml."; \
	   .venv-lock/bin/python -m pip freeze --all --exclude pip | sed 's/+cpu$$//'; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@rm -rf .venv-lock

# The system of record and the list of people who asked to be forgotten cannot be rebuilt: they stay.
clean:
	@if [ -d var ]; then \
	  find var -mindepth 1 -maxdepth 1 ! -name record ! -name suppressed.json -exec rm -rf {} +; \
	  rmdir var 2>/dev/null || echo "Kept, since nothing can rebuild it: $$(cd var && ls)"; \
	fi
	@rm -rf .venv .venv-lock build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
