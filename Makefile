# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install --no-deps
PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --override requirements/overrides.txt --extra local --extra stats

.PHONY: demo test coverage test-sqlite test-slow test-trl lint bench bench-check bench-draw bench-publish pictures soak pins wheel clean

demo: .venv/.demo
	@$(BIN)/builder run support_messages support_off_topic
	@$(BIN)/builder show support_message --table -n 8
	@echo "next: change a word in prompts/support_messages.j2, then 'make demo' again: only what it changes is asked"
	@echo "      . .venv/bin/activate   puts builder on the PATH of this shell"

test: .venv/.test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

# The same tests, and which share of the branches of builder/ they take; processes that tests start
# are not counted.
coverage: .venv/.test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" --cov --cov-report=
	@echo "coverage with branches: $$($(BIN)/coverage report --format=total) %"

# The same tests on a newer SQLite than Python's own, where its wheel is to be had.
test-sqlite: .venv/.test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" -p tests.newest_sqlite

# The long forms; CI runs both.
test-slow: .venv/.test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow

# What the trainer trl makes of the shapes; it and torch are too large for every run.
test-trl: .venv/.trl
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m trl tests/test_trl.py

# The long forms of what README promises; --quick is a short look.
soak: .venv/.test
	@$(BIN)/python -m benchmarks.soak

lint: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

wheel: .venv/.test
	@$(BIN)/python -m build --no-isolation --wheel --outdir dist

# Each prints its figures with the limits that they keep.
# About half an hour; the page is written at the end.
bench: .venv/.test
	@$(BIN)/python -m benchmarks > docs/performance.part; ended=$$?; \
	[ ! -s docs/performance.part ] || mv docs/performance.part docs/performance.md; exit $$ended

bench-check: .venv/.test
	@$(BIN)/python -m benchmarks.check

bench-draw: .venv/.test
	@$(BIN)/python -m benchmarks.draw

# The pictures of docs/samplers.md, by the commands that it names.
pictures: .venv/.test
	@sed -n 's|^builder draw .*--plot.*|$(BIN)/&|p' docs/samplers.md | sh -e

bench-publish: .venv/.test
	@$(BIN)/python -m benchmarks.publish

# Needs uv; the pins name no index.
pins:
	$(PIN) pyproject.toml requirements/demo.in -o requirements/demo.txt
	$(PIN) --extra semantic --extra excel pyproject.toml requirements/demo.in requirements/test.in -c requirements/demo.txt -o requirements/test.txt

.venv/.demo: requirements/demo.txt pyproject.toml | .venv
	@echo "installing what the demo needs into .venv (about a minute)" >&2
	@$(PIP) --require-hashes -r requirements/demo.txt
	@$(PIP) --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q builder
	@touch $@

.venv/.test: requirements/test.txt .venv/.demo
	@echo "installing what the tests need into .venv (about a minute)" >&2
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

.venv/.trl: .venv/.test
	@echo "installing torch and trl into .venv (some minutes)" >&2
	@$(BIN)/python -m pip --disable-pip-version-check -qq install torch==2.13.0
	@$(BIN)/python -m pip --disable-pip-version-check -qq install --no-build-isolation --editable '.[trl]'
	@touch $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv
