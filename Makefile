# `make demo` and `make test` install what they need. All other targets are for developers.

CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
PYTHON ?= python3
VENV := .venv
ELENCHUS := $(TARGET)/release/elenchus
DAY := examples/media/day1.mp4
REAL := $(abspath $(or $(ELENCHUS_REAL),$(ELENCHUS_MODELS),$(if $(ELENCHUS_CACHE),$(ELENCHUS_CACHE)/models),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/elenchus/models))

.PHONY: cuda help demo quick test fmt lint ruff doc unit clients browser-test book real pytest deny ffmpeg soak bench bench-quick world starter figures fuzz

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: ffmpeg ## build, then answer questions about a sample day with the starter cast
	$(CARGO) build --release --locked
	@for question in "Where did I last see the keys?" "$(DEMO_QUESTION_2)" "$(DEMO_QUESTION_3)" "What colour was the spaceship?"; do \
		printf '\n> elenchus ask $(DAY) "%s"\n' "$$question"; \
		$(ELENCHUS) ask $(DAY) "$$question" || exit $$?; \
	done
DEMO_QUESTION_2 := Why did I go to the hallway?
DEMO_QUESTION_3 := How many times did I check the list?

quick: fmt lint ## the checks of a commit: at most 5 minutes with a warm cache
	$(CARGO) test --locked --lib --bins --test tidy --test language --test verbs --test engine --test examples --test output --test memo --test bad_media -- --skip slow::

# The tests run three times as fast with optimised code, and one build serves all targets.
test: export CARGO_PROFILE_DEV_OPT_LEVEL := 1
test: ffmpeg fmt lint deny doc pytest unit clients browser-test book real ## all checks of CI

# CI checks the parts that are not in a usual build, too.
FEATURES := --features otel

fmt: ## formatting
	$(CARGO) fmt --check

lint: ruff ## clippy (also of the library without the command line) and ruff, warnings denied
	$(CARGO) clippy --locked --all-targets $(FEATURES) -- -D warnings
	$(CARGO) clippy --locked --no-default-features --lib -- -D warnings

# Format and rules of the Python; ruff.toml sets them.
ruff:
	@if PYTHON="$(PYTHON)" VENV="$(VENV)" bash training/develop.sh; then \
		$(VENV)/bin/ruff format --check --quiet && $(VENV)/bin/ruff check --quiet; \
	else echo "notice: ruff cannot be installed; the Python is not checked"; fi

doc: ## documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items $(FEATURES)

unit: ## all tests, without those that need real models
	$(CARGO) test --locked $(FEATURES)

# 2 GB, once, where agent files look for models (casts/real.yaml). Exit code 3 of the script: the files cannot be had from here.
real: ffmpeg ## fetch real models into ELENCHUS_REAL (~/.cache/elenchus/models), then run the tests that need them
	@PYTHON="$(PYTHON)" bash tests/real/fetch.sh "$(REAL)"; code=$$?; \
	if [ $$code = 3 ]; then echo "notice: the real models cannot be had from here; the tests that need them are skipped"; exit 0; fi; \
	[ $$code = 0 ] && "$(REAL)/.venv/bin/python" tests/real/reels.py "$(REAL)" $(SPEECH) && \
	CARGO_PROFILE_DEV_OPT_LEVEL=1 ELENCHUS_REAL="$(REAL)" ELENCHUS_MODELS="$(REAL)" $(CARGO) test --locked $(FEATURES) --test real --test real_clips --test real_dialogues --test parity -- --ignored
SPEECH := $(firstword $(wildcard ../shared/media/jfk.flac ../../shared/media/jfk.flac))

pytest: ffmpeg ## the tests of the Python (a day, its answers, the wordings, the training texts, the cards, the benchmarks)
	@PYTHON="$(PYTHON)" bash training/tools.sh || echo "notice: no day can be rendered; its test will be skipped"
	@if PYTHON="$(PYTHON)" VENV="$(VENV)" bash training/develop.sh numpy pillow jinja2; then \
		$(VENV)/bin/python -m pytest -q -rs -p no:cacheprovider training/tests benches/tests; \
	else echo "notice: pytest cannot be installed; the tests of the Python are skipped"; fi

# The server with other programs: the official clients, and a browser. They use the program that `make unit` built.
clients: ffmpeg ## try the server with the official Python clients of OpenAI's API and MCP, and curl
	@$(CARGO) build --locked $(FEATURES)
	@if PYTHON="$(PYTHON)" bash tests/serve/install.sh; then \
		ELENCHUS=$(TARGET)/debug/elenchus tests/serve/.venv/bin/python tests/serve/clients.py; \
	else echo "notice: the clients cannot be installed; the server is not tried with them"; fi

browser-test: ffmpeg ## try the page in headless Chromium, end to end, with screenshots in target/screenshots
	@$(CARGO) build --locked $(FEATURES)
	@if PYTHON="$(PYTHON)" bash tests/serve/install.sh chromium; then \
		ELENCHUS=$(TARGET)/debug/elenchus SHOTS=$(TARGET)/screenshots tests/serve/.venv/bin/python tests/serve/browser.py; \
	else echo "notice: Chromium cannot be installed; the page is not tried"; fi

deny: ## licences, sources, bans and known advisories of all dependencies (cargo-deny)
	@PYTHON="$(PYTHON)" bash tests/deny/run.sh

book: ## build the pages of docs/ as a book into target/book (mdBook; `make unit` checks its links and runs its commands)
	@command -v mdbook >/dev/null || [ -x $(TARGET)/tools/bin/mdbook ] || \
		$(CARGO) install --quiet mdbook --version 0.5.4 --locked --no-default-features --root $(TARGET)/tools || \
		{ echo "notice: mdBook cannot be built; the book is not made"; exit 0; }; \
	mdbook=$$(command -v mdbook || echo $(TARGET)/tools/bin/mdbook); $$mdbook build docs

# Not part of the checks: the kernels take 20 minutes on two cores.
cuda: ## build the program for NVIDIA GPUs, without a GPU or a CUDA toolkit (docs/cuda.md)
	bash benches/cuda/build.sh

soak: ffmpeg ## kill runs at random moments and check the memo each time, for MINUTES (10); then load the server for a minute
	$(CARGO) build --release --locked
	ELENCHUS=$(ELENCHUS) bash tests/soak.sh $(MINUTES)
	ELENCHUS=$(ELENCHUS) $(PYTHON) tests/serve/load.py

# ffmpeg and ffprobe read every video. No other system package is needed.
ffmpeg:
	@command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || { \
		echo "ffmpeg is missing; installing it"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		if command -v apt-get >/dev/null; then $$sudo apt-get update -qq && $$sudo apt-get install -y -qq ffmpeg; \
		elif command -v dnf >/dev/null; then $$sudo dnf install -y ffmpeg-free; \
		elif command -v pacman >/dev/null; then $$sudo pacman -S --noconfirm ffmpeg; \
		elif command -v brew >/dev/null; then brew install ffmpeg; \
		else echo "error: install ffmpeg by hand: https://ffmpeg.org/download.html" >&2; exit 1; fi; }

bench: ffmpeg ## run the benchmarks and write benches/RESULTS.md (PARTS, ROWS: see benches/run.sh; benches/requirements.txt)
	REAL="$(REAL)" SOUND="$(SPEECH)" bash benches/run.sh

# ROWS=clip,whisper names rows; else those that the changes since BASE (main) touch.
bench-quick: ffmpeg ## at most 3 minutes: compare the rows that a change touches with other programs
	@$(or $(filter-out python3,$(PYTHON)),$(VENV)/bin/python) benches/compare --quick --real "$(REAL)" --sound "$(SPEECH)" $(ROWS)

world: ffmpeg ## install the tools for rendering days (espeak-ng, an emoji font; numpy and pillow into .venv)
	@PYTHON="$(PYTHON)" bash training/tools.sh
	$(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q $$(grep -E '^(numpy|pillow)==' training/requirements.txt)

starter: world ## train the starter cast again (hours on 2 cores; see training/README.md)
	$(VENV)/bin/pip install -q -r training/requirements.txt
	PYTHON=$(VENV)/bin/python bash training/starter.sh

figures: world ## measure the starter cast on ten unseen days, rendered into target/days
	$(CARGO) build --release --locked
	$(VENV)/bin/python training/figures.py --out $(TARGET)/days --elenchus $(ELENCHUS)

fuzz: ## ten minutes of fuzzing for each target (needs cargo-fuzz and a nightly toolchain)
	bash fuzz/seed.sh
	for target in yaml plan template chat agent safetensors gguf; do \
		words=-dict=fuzz/yaml.dict; \
		case $$target in template|chat) words=-dict=fuzz/template.dict ;; safetensors|gguf) words= ;; esac; \
		cargo +nightly fuzz run --sanitizer none $$target -- $$words -max_total_time=600 -timeout=30 -rss_limit_mb=2048 || exit 1; \
	done
