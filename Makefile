# The few commands of daily work; each is one plain line that also works without make.
PYTHON ?= python3

.PHONY: compare test lint docs format clean

# python3 -m venv .venv
# .venv/bin/pip install -c constraints.txt -e ".[all]"
.venv: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -c constraints.txt -e ".[all]" || { rm -rf .venv; exit 1; }
	touch .venv

# .venv/bin/crosscheck compare all
compare: .venv
	.venv/bin/crosscheck compare all

# .venv/bin/python -m pytest -q -n 2 --dist worksteal
test: .venv
	.venv/bin/python -m pytest -q -n 2 --dist worksteal

# .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy crosscheck model_spec core_numpy keras_models bridge benchmarks
lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy crosscheck model_spec core_numpy keras_models bridge benchmarks

# .venv/bin/mkdocs build --strict
docs: .venv
	.venv/bin/mkdocs build --strict

format: .venv
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .ci-venv build site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
