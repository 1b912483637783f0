# Everything runs in .venv, which `make` itself creates on first use (scripts/setup.sh).

PYTHON := .venv/bin/python

# Without a display, Linux gets a virtual one, and the demo leaves a picture of its window.
ifeq ($(shell uname -s)$(DISPLAY)$(WAYLAND_DISPLAY),Linux)
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"
DEMO_ARGS := --screenshot demo.png
endif

.PHONY: help demo test lint bench screenshots train-builtin evaluate-builtin clean setup

help:
	@echo "make demo              open napari on a defect image, show its heatmap and judge what was found"
	@echo "make test              lint, types and the whole test suite"
	@echo "make lint              lint and types only"
	@echo "make bench             print speed ratios, how fast the window answers, what judgements and the other images are worth"
	@echo "make screenshots       make the pictures of the documentation anew"
	@echo "make train-builtin     rebuild the built-in model (up to 8 hours, can be interrupted and resumed)"
	@echo "make evaluate-builtin  print how good the built-in model is, on freshly drawn images"
	@echo "make clean             remove the virtual environment and everything generated"

setup:
	@scripts/setup.sh

demo: setup
	$(SCREEN) $(PYTHON) -m napari_anoclip.demo $(DEMO_ARGS)

test: lint
	@# In their own order: those with few tests are not the short ones, and one core would be left with them at the end.
	$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -m codespell_lib

bench: setup
	$(PYTHON) -m benchmarks.engine
	$(PYTHON) -m benchmarks.metrics
	$(PYTHON) -m benchmarks.figures
	$(PYTHON) -m benchmarks.batch
	$(PYTHON) -m benchmarks.mutual
	$(PYTHON) -m benchmarks.tuning
	$(PYTHON) -m benchmarks.expert_loop --plot docs/images/expert_loop.png
	$(SCREEN) $(PYTHON) -m benchmarks.live
	$(SCREEN) $(PYTHON) -m benchmarks.responsiveness

screenshots: setup
	$(SCREEN) $(PYTHON) -m docs.screenshots

train-builtin: setup
	$(PYTHON) -m training.train

evaluate-builtin: setup
	$(PYTHON) -m training.evaluate

clean:
	rm -rf .venv build dist demo.png .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
