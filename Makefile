# The only commands anyone needs. Each makes the environment that it lacks.
PYTHON ?= python3.11
TORCH ?= torch==2.13.0
BIN := .venv/bin

SEEDS ?= 10000
MINUTES ?= 30

.PHONY: run test ray peers openvino check bench simulate chaos clean

run: .venv/ready-run
	$(BIN)/archipel demo

test: .venv/ready-dev
	@scripts/system-packages
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# Ray Serve on a cluster of several nodes on this machine, some minutes.
ray: .venv/ready-ray
	$(BIN)/pytest tests/ray

# Other people's programs against our service, each in an environment of its own (760 MB).
peers: .venv/ready-peers
	$(BIN)/pytest tests/peers

# The engine that needs OpenVINO (200 MB); what it needs stays in .venv.
openvino: .venv/ready-openvino
	$(BIN)/pytest tests/serve/test_openvino_engine.py

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready-dev
	$(BIN)/archipel bench train --quick --json benchmarks/results/train.json
	$(BIN)/archipel bench corpus --quick --json benchmarks/results/corpus.json
	$(BIN)/archipel bench codec --quick --json benchmarks/results/codec.json
	$(BIN)/archipel bench plan --quick --json benchmarks/results/plan.json
	$(BIN)/python -m benchmarks.pages.report

# The protocol under a virtual clock and a hostile store; one seed again: make simulate SEED=17
simulate: .venv/ready-dev
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS))

# Four real sites in network namespaces, a fault a minute. Needs root.
chaos: .venv/ready-dev
	$(BIN)/python -m benchmarks.chaos --minutes $(MINUTES) --json benchmarks/results/chaos.json

clean:
	rm -rf .venv

# torch comes first and by version: a range would let pip choose a build for another machine.
.venv/ready-torch:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	@touch $@

.venv/ready-run: pyproject.toml .venv/ready-torch
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

.venv/ready-dev: pyproject.toml .venv/ready-torch
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	@touch $@ .venv/ready-run

.venv/ready-ray: .venv/ready-dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[ray]'
	@touch $@

.venv/ready-openvino: .venv/ready-dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[openvino]'
	@touch $@

.venv/ready-peers: .venv/ready-dev
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/pip install --quiet --disable-pip-version-check $(TORCH)
	.venv/peers/bin/pip install --quiet --disable-pip-version-check 'lm_eval[api,hf]>=0.4.13'
	@touch $@
