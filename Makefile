# Two commands do all set-up by themselves: `make demo` and `make test`.
.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help setup demo test lint serve bench docs lock sbom image clean \
	proof-memory proof-one-bit proof-kill-storm proof-hsm-faults proof-backup-restore proof-parallel-signers \
	proof-two-machines proof-locks \
	proof-schemathesis proof-forgeries proof-mutations proof-fuzz proof-register proof-printout \
	proof-search proof-cover-sheets proof-quality proof-capacity proof-inbox proof-stack screenshots

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## system packages, .venv, the package itself
	@bash tools/setup.sh

demo: setup  ## digitize, sign and verify the bundled dossier (var/demo/out)
	@bash tools/demo.sh

# idle processes take tests over: else one is left with most of those that start whole services
test: lint  ## every check: lint, types, floors, tests with coverage
	$(PYTEST) -n 3 --dist worksteal --cov --cov-report=term:skip-covered --cov-report= -q

lint: setup  ## ruff, mypy, import-linter
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports

serve: setup  ## start the service on http://127.0.0.1:8080
	@.venv/bin/sohoa init --data var/serve
	.venv/bin/sohoa serve --data var/serve

bench: setup  ## all measurements: a table and bench/results.json (one by one: make bench NAME=sign)
	$(PY) -m bench $(NAME)

docs: setup  ## regenerate what docs/ takes from the code
	.venv/bin/typer api.cli utils docs --name sohoa --title "Lệnh sohoa / the sohoa command" --output docs/cli.md
	PYTHONPATH=. $(PY) tools/list_checks.py

screenshots: setup  ## take the pictures of the public page and the console anew (docs/img)
	$(PY) -m tests.screenshots docs/img
	$(PY) -m tests.console_screenshots docs/img

PROOF := var/proof

proof-memory: setup  ## 300 pages against 30: peak memory at most 1.3 times
	$(PY) -m bench.digitise_memory samples/dossier/thanh-phan/01-don-de-nghi.jpg

proof-one-bit: setup  ## flip bits of a sealed record (STEP=1: every bit; takes hours)
	@.venv/bin/sohoa init --data $(PROOF)/data
	.venv/bin/sohoa digitize samples/dossier/thanh-phan/02-can-cuoc.jpg -o $(PROOF)/record.pdf \
		--mode compact --seal P7 --seal P5:seal --copy-form SY --level B-LTA --data $(PROOF)/data
	$(PY) -m tests.proof_one_bit $(PROOF)/record.pdf $(PROOF)/data/pki/root.pem --step $(or $(STEP),61)

proof-kill-storm: setup  ## 500 decisions over HTTP, everything killed 50 times; SQLite, PostgreSQL with S3
	$(PY) -m tests.proof_kill_storm --decisions $(or $(DECISIONS),500) --kills $(or $(KILLS),50)

proof-hsm-faults: setup  ## a token that fails in every way met in practice, under 16 clients
	$(PY) -m tests.proof_hsm_faults

proof-backup-restore: setup  ## back up and restore a service on PostgreSQL with S3 while it signs
	$(PY) -m tests.proof_backup_restore

proof-two-machines: setup  ## two worker machines on one PostgreSQL and S3: ten kills, ten drains
	$(PY) -m tests.proof_two_machines

proof-locks: setup  ## everything at once on PostgreSQL: no deadlock, nothing lost
	$(PY) -m tests.proof_locks --seconds 90 --processes 4

proof-parallel-signers: setup  ## 20,000 signatures by 64 signers through the key agent
	@.venv/bin/sohoa init --data $(PROOF)/signers
	$(PY) -m tests.proof_parallel_signers $(PROOF)/signers

proof-search: setup  ## search among 100,000 pages on SQLite and PostgreSQL
	$(PY) -m tests.proof_search --rounds $(or $(ROUNDS),50)

proof-cover-sheets: setup  ## cover sheets and what splits a stack, on degraded scans
	$(PY) -m tests.proof_cover_sheets

proof-quality: setup  ## defects of scans found, legible pages not blamed (COUNT seeds)
	$(PY) -m tests.proof_quality --count $(or $(COUNT),20)

proof-capacity: setup  ## 500 pages through the whole station, from upload to seal
	$(PY) -m tests.proof_capacity $(PROOF)/capacity --stacks $(or $(STACKS),50)

proof-inbox: setup  ## watched folders, the watcher killed 30 times on each database
	$(PY) -m tests.proof_inbox

proof-stack: setup  ## 12 dossiers, 200 pages, by four ways; readers killed 30 times: the same result
	$(PY) -m tests.proof_stack --out $(PROOF)/stack.json

proof-schemathesis: setup  ## every operation of the HTTP API asked thousands of wrong questions
	$(PYTEST) tests/proof_schemathesis.py -q -s

proof-forgeries: setup  ## thousands of incremental saves that change what is shown: none accepted
	$(PY) -m tests.proof_forgeries

proof-mutations: setup  ## 10,000 mutations of valid files: no crash, no hang, no growth
	$(PY) -m tests.proof_mutations

proof-fuzz: setup  ## coverage-guided fuzzing of the verifier (MINUTES=60)
	$(PY) -m tests.proof_fuzz --minutes $(or $(MINUTES),60)

proof-register: setup  ## 100,000 entries, 1,000 trials of the auditor's tool, on both databases
	$(PY) -m tests.proof_register

proof-printout: setup  ## 100 honest and 100 altered printouts held to their originals
	$(PY) -m tests.proof_printout

LOCK := .venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header \
	--no-annotate --python-version 3.11

lock: | .venv/bin/uv  ## renew the lock files (hashes, no index address)
	$(LOCK) pyproject.toml --extra dev -o requirements-dev.lock
	$(LOCK) pyproject.toml -c requirements-dev.lock -o requirements.lock
	echo 'setuptools>=80' | $(LOCK) - -c requirements-dev.lock -o requirements-build.lock

.venv/bin/uv:
	@$(MAKE) --no-print-directory setup

sbom: setup  ## software bill of materials (CycloneDX 1.6): var/sbom.cdx.json
	$(PY) -m tools.sbom -o var/sbom.cdx.json

image:  ## build the container image and try it (buildah, podman, mmdebstrap; root)
	bash tools/image.sh build
	bash tools/image.sh check

clean:  ## remove what runs left behind (keeps .venv)
	rm -rf var build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
