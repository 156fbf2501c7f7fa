# Two commands for people: `make run` and `make test`. Set-up happens once, and again when requirements change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: run test check coverage audit simulations endurance endurance-live fuzz bench models clean
.DELETE_ON_ERROR:

run: $(RUNTIME)
	$(BIN)/streamlit run dashboard/Home.py

test: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r core dashboard pages -c pyproject.toml
	$(BIN)/hadolint deploy/Dockerfile

# Which lines of core and dashboard the tests without a browser reach; the report names those they don't.
coverage: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not browser and not slow" --cov=core --cov=dashboard \
		--cov-report=term:skip-covered --cov-report=html:data/coverage

# Known weaknesses of the pinned packages; asks a service on the internet.
audit: $(DEV)
	$(BIN)/python -m tests.audit_pins $(BIN)/pip-audit

# Kills processes at random moments, 200 times, and lets eight work at once for a minute; takes some minutes.
endurance: $(DEV)
	$(BIN)/python -m tests.endurance --kills 200 --seconds 60 --processes 8

# How often 95 % intervals hold the truth, by simulation: docs/measurements.md has the figures; takes some minutes.
simulations: $(DEV)
	$(BIN)/python -m pytest -m slow -s

# Feeds every reader of files for a minute with what atheris invents; takes twenty minutes.
fuzz: $(DEV)
	$(BIN)/python -m tests.fuzz --seconds 60

# Streams from two browsers for ten minutes and looks at the server's memory, rates and log; wants an idle machine.
endurance-live: $(DEV)
	$(BIN)/python -m tests.endurance.live --minutes 10 --browsers 2

# Speed beside other libraries and plainer code, ten minutes on two cores; BENCH="--only embed", BENCH=--large for a million templates.
bench: $(DEV)
	$(BIN)/python -m pip install -q -r requirements-bench.txt
	$(BIN)/python -m tests.benchmarks $(BENCH)

# Trains the weights that ship in data/models again and measures them; takes hours. DATASET is a data set with the splits
# train and val (identity-disjoint), TEACHER the official weights. Crops that another program aligned come into it by
# `dataset ingest --align-again`. PHOTOGRAPHS and PAIRS are Labeled Faces in the Wild: the landmark network trains on the
# people of LANDMARK_FOLDS and of no fold, and on the aligned crops in CROPS; figures are measured on the people of FOLDS,
# who are in no split of DATASET. TERMS are the sources of DATASET with their terms.
TEACHER ?= edgeface_xxs
LANDMARK_FOLDS ?= 1-3
LANDMARK_VAL_FOLDS ?= 4
LFW_TERMS = --terms "Labeled Faces in the Wild (Huang et al., 2007): research"
CROPS_TERMS = --terms "CelebA (Liu et al., ICCV 2015): non-commercial research" \
	--terms "FairFace (Karkkainen and Joo, WACV 2021): CC BY 4.0, attribution" \
	--terms "Families in the Wild (Robinson et al.): research"
TERMS ?= $(LFW_TERMS) $(CROPS_TERMS)
# The shipped encoder is the average of TEACHER and the specialist, by these shares.
STARTER_SHARES ?= .75,.25
AVERAGED := data/bench/averaged.safetensors
STUDIO := $(BIN)/edgeface-studio
MODELS := data/models
measure = $(STUDIO) evaluate pairs "$(PHOTOGRAPHS)" "$(PAIRS)" $(if $(FOLDS),--folds $(FOLDS)) --no-all-pairs \
	--weights $(1) --upscaler $(MODELS)/edgeface-$(2).safetensors --upscaler bicubic
report = $(STUDIO) weights export $(MODELS)/$(1).safetensors $(MODELS)/$(1).safetensors \
	--report data/bench/$(2)/report.json

models: $(RUNTIME)
	@test -n "$(DATASET)" -a -n "$(PHOTOGRAPHS)" -a -n "$(PAIRS)" \
		|| { echo "make models DATASET=NAME PHOTOGRAPHS=FOLDER PAIRS=FILE [CROPS=FOLDER] [FOLDS=5-7] [TEACHER=FILE] [TERMS=...]" >&2; exit 1; }
	$(STUDIO) train landmarks --photographs "$(PHOTOGRAPHS)" --pairs "$(PAIRS)" --folds $(LANDMARK_FOLDS) \
		--val-folds $(LANDMARK_VAL_FOLDS) $(LFW_TERMS) $(if $(CROPS),--photographs "$(CROPS)" $(CROPS_TERMS)) \
		--edgeface "$(TEACHER)" --upscaler $(MODELS)/edgeface-dsr.safetensors --name edgeface-landmarks
	$(STUDIO) weights export run:edgeface-landmarks $(MODELS)/edgeface-landmarks.onnx
	$(STUDIO) train finetune --preset specialist --dataset "$(DATASET)" $(TERMS) --edgeface "$(TEACHER)" \
		--set average= --out-name edgeface-xxs-specialist
	$(STUDIO) weights export run:edgeface-xxs-specialist $(MODELS)/edgeface-xxs-specialist.safetensors
	$(STUDIO) train dsr --dataset "$(DATASET)" $(TERMS) --edgeface "$(TEACHER)" --out-name edgeface-dsr
	$(STUDIO) weights export run:edgeface-dsr $(MODELS)/edgeface-dsr.safetensors
	rm -f $(AVERAGED)
	$(STUDIO) weights average "$(TEACHER)" run:edgeface-xxs-specialist --shares $(STARTER_SHARES) --out $(AVERAGED)
	$(STUDIO) weights export $(AVERAGED) $(MODELS)/edgeface-xxs-starter.safetensors --as-encoder
	$(call measure,"$(TEACHER)",xxs-specialist) --out data/bench/specialist
	$(call report,edgeface-xxs-specialist,specialist) --run edgeface-xxs-specialist
	$(call measure,$(MODELS)/edgeface-xxs-starter.safetensors,xxs-specialist) --out data/bench/starter
	$(call report,edgeface-xxs-starter,starter)
	$(call measure,"$(TEACHER)",dsr) --out data/bench/dsr
	$(call report,edgeface-dsr,dsr) --run edgeface-dsr

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "EdgeFace Studio needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 run" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(BIN)/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache
