# Every goal sets up .venv by itself. PYTHON may name another interpreter: make test PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers/.ready
# A second run beside the first on two cores needs one thread each.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2
RUNS := runs

.PHONY: demo test test-all reliability check format peers bench bench-verdict bench-scale bench-large bench-frontier bench-step bench-minutes bench-perception bench-decoding bench-small bench-splits bench-causes bench-leaks bench-fairness bench-attacks bench-poisoned bench-labelling bench-serve screenshots clean bench-evidence bench-compress

$(READY): pyproject.toml constraints.txt dev/setup.sh
	PYTHON=$(PYTHON) sh dev/setup.sh
	@touch $@

demo: $(READY)  ## fit the table that comes with Fathom
	$(BIN)/fathom fit examples/data/flights.csv --target late --effort quick

test: $(READY)  ## the test suite, documentation included
	$(TEST) -m "not slow"

test-all: $(READY)  ## the slow tests too
	$(TEST)

reliability: $(READY)  ## every fault as often as a release needs; SEED=7 repeats one run
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/reliability --full --timeout 3000 $(if $(SEED),--seed $(SEED))

check: $(READY)  ## style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python dev/house.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python dev/house.py --write

bench: $(READY)  ## eight real tables
	$(BIN)/python -m bench.tables

bench-verdict: $(READY)  ## 160 planted tables whose true verdict is known
	$(BIN)/python -m bench.verdict

bench-scale: $(READY)  ## 1e4, 1e5 and 1e6 rows
	$(BIN)/python -m bench.scale

$(PEERS): dev/peers.txt constraints.txt dev/peers.sh
	PYTHON=$(PYTHON) sh dev/peers.sh
	@touch $@

peers: $(PEERS)  ## the environment of the models that bench-frontier compares with

bench-large: $(READY)  ## 10 GB of CSV with 3 GB of memory; about an hour, 25 GB of disk
	$(BIN)/python -m bench.large

bench-frontier: $(READY) $(PEERS)  ## thirteen real tables against RealMLP, TabM and boosted trees; hours
	$(BIN)/python -m bench.frontier

bench-step: $(READY)  ## a training step against a bare loop, and beside busy processes
	$(BIN)/python -m bench.step

bench-minutes: $(READY)  ## is --minutes kept?
	$(BIN)/python -m bench.minutes

bench-perception: $(READY)  ## pictures, texts, molecules and series, beside a hand-written loop; two hours
	$(BIN)/python -m bench.perception

bench-decoding: $(READY)  ## pictures and recordings a second, beside Pillow and libsndfile alone; a minute
	$(BIN)/python -m bench.decoding

bench-evidence: $(READY)  ## doubt and reasons: coverage, unlike rows, faithfulness; half an hour
	$(BIN)/python -m bench.evidence

bench-small: $(READY)  ## small tables against a linear model
	$(BIN)/python -m bench.small

bench-splits: $(READY)  ## diamonds against LightGBM, whichever rows are held out
	$(BIN)/python -m bench.splits

bench-causes: $(READY)  ## does the interval of an effect hold the true one, on 100 confounded tables?
	$(BIN)/python -m bench.causes

bench-leaks: $(READY)  ## 16 types of leak, 20 tables with and 20 without each
	$(BIN)/python -m bench.leaks

bench-attacks: $(READY)  ## the price of --adversarial, and our attacks beside those of ART; ORACLE=python names an environment that has it
	$(BIN)/python -m bench.attacks $(if $(ORACLE),--oracle $(ORACLE))

bench-fairness: $(READY)  ## groups of adult and COMPAS beside fairlearn; ORACLE=python names an environment that has it
	$(BIN)/python -m bench.fairness $(if $(ORACLE),--oracle $(ORACLE))

bench-poisoned: $(READY)  ## updates with flipped labels against the gate
	$(BIN)/python -m bench.poisoned

bench-labelling: $(READY)  ## labels that are needed, the most informative rows first and in an order of chance
	$(BIN)/python -m bench.labelling

bench-serve: $(READY)  ## raw ONNX Runtime, Fathom in process and over HTTP, a service by hand; PEER=python names an environment with fastapi and torch
	$(BIN)/python -m bench.serve --install $(if $(PEER),--peer $(PEER)) --json bench/results/serve.json
bench-compress: $(READY)  ## smaller bundles: what they cost and what they lose
	$(BIN)/python -m bench.compress

screenshots: $(READY)
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf .venv .venv-peers $(RUNS) .pytest_cache .mypy_cache .ruff_cache .hypothesis
