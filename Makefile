# Everything runs in .venv, which `make` itself creates on first use (scripts/setup.sh).

PYTHON := .venv/bin/python

# Without a display, Linux gets a virtual one, and the demo leaves a picture of its window.
ifeq ($(shell uname -s)$(DISPLAY)$(WAYLAND_DISPLAY),Linux)
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"
DEMO_ARGS := --screenshot demo.png
endif

# In their own order: files with few tests are not the short ones, and one core would be left with them at the end.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Tests and demo start many processes: each would compile all modules again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test coverage mutants lint faults bench docs screenshots dist test-sdist constraints train-builtin evaluate-builtin clean setup

help:
	@echo "make demo              open napari on a defect image, show its heatmap and judge what was found"
	@echo "make test              lint, types and the whole test suite"
	@echo "make coverage          the test suite again, and which lines and branches it reaches"
	@echo "make mutants           break the code in 300 places, one at a time, and see whether the tests notice"
	@echo "make lint              lint and types only"
	@echo "make faults            break everything that can break, and print what the user sees and what is kept (15 minutes)"
	@echo "make bench             measure everything, print it and fill docs/performance.md with it (leave the machine alone)"
	@echo "make docs              build the documentation into site/; every warning and every broken link is an error"
	@echo "make screenshots       make the pictures of the documentation anew"
	@echo "make dist              build the wheel and the sdist, and try the wheel in an empty environment"
	@echo "make test-sdist        make test in the unpacked sdist, after make dist"
	@echo "make constraints       write the versions in .venv, with which the tests passed, into constraints.txt"
	@echo "make train-builtin     rebuild the built-in model (8 hours of processor time, can be interrupted and resumed)"
	@echo "make evaluate-builtin  print how good the built-in model is, on freshly drawn images"
	@echo "make clean             remove the virtual environment and everything generated"

setup:
	@scripts/setup.sh

demo: setup
	$(SCREEN) $(PYTHON) -m napari_anoclip.demo $(DEMO_ARGS)

test: lint
	$(PYTHON) -m pytest $(SIDE_BY_SIDE)

coverage: setup
	$(PYTHON) -m pytest $(SIDE_BY_SIDE) --cov --cov-report=
	$(PYTHON) -m coverage report --skip-covered --include='*/engine/*,*/review/*' --fail-under=95
	$(PYTHON) -m coverage report --skip-covered --fail-under=85

mutants: setup
	$(PYTHON) scripts/mutate.py

lint: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -m codespell_lib

faults: setup
	$(PYTHON) -m pytest tests -m fault --thorough --faults docs/faults.md -n auto --maxprocesses 2 --dist worksteal

bench: setup
	$(SCREEN) $(PYTHON) -m benchmarks --document docs/performance.md

docs: setup
	$(PYTHON) -m pytest -q tests/documentation
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

screenshots: setup
	$(SCREEN) $(PYTHON) -m docs.screenshots
	$(SCREEN) $(PYTHON) -m docs.moving_picture
	$(PYTHON) -m docs.method_figures
	$(PYTHON) -m docs.architecture_drawing
	$(PYTHON) -m docs.failure_gallery

dist: setup
	$(SCREEN) $(PYTHON) scripts/dist.py

test-sdist:
	rm -rf build/sdist && mkdir -p build/sdist
	tar -xzf dist/*.tar.gz -C build/sdist --strip-components 1
	$(MAKE) -C build/sdist test

constraints: setup
	scripts/constraints.sh

train-builtin: setup
	$(PYTHON) -m training.train
	$(PYTHON) -m training.export

evaluate-builtin: setup
	$(PYTHON) -m training.evaluate

clean:
	rm -rf .venv build dist site demo.png .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
