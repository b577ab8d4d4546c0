# make demo: compare three tokenizers; make test: run the tests. Both make .venv where there is none.

PYTHON ?= python3
ifneq ($(wildcard ../shared/data),)
export TOKEXP_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo test check reports clean

demo: .venv/installed
	.venv/bin/python -m tokexp.run -m tokenizer=char,word,bpe

test: .venv/installed
	.venv/bin/python -m pytest -n auto --maxprocesses 8 --dist worksteal

# What a change must pass besides the tests.
check: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# Every committed report, from its data.
reports: .venv/installed
	for data in $(wildcard reports/*/data); do \
		.venv/bin/python -m tokexp.report $$(basename $$(dirname $$data)) || exit 1; \
	done

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch .venv/installed

clean:
	rm -rf .venv *.egg-info
