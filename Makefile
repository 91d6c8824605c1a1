# make audit   check every claim and print the ledger
# make test    formatting, lints, documentation and all tests
# Both first install what is missing, so they work on a machine that has only Rust, a C compiler and make.

CARGO ?= cargo
export DEBIAN_FRONTEND := noninteractive

# The folders in which build.rs looks for OpenBLAS.
OPENBLAS_FOLDERS := /usr/lib/*-linux-gnu* /usr/lib64 /usr/lib /usr/local/lib64 /usr/local/lib \
	/opt/homebrew/opt/openblas/lib /usr/local/opt/openblas/lib /opt/OpenBLAS/lib

.PHONY: audit test bench detection comparison picture mutants fuzz supply package minimal-versions semver setup \
	openblas components

audit: openblas
	$(CARGO) build --release --locked
	"$${CARGO_TARGET_DIR:-target}/release/mirrorflow" audit

# The test runner comes last, so that the last line says how many tests ran.
test: setup
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) test --locked --doc
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		set -x; $(CARGO) nextest run --locked; \
	else \
		set -x; $(CARGO) test --locked --lib --bins --tests; \
	fi

# The tables of README.md, "Beside other solvers", then timings. `make bench BASELINE="--save-baseline before"` keeps those, and
# `make bench BASELINE="--baseline before"` compares with what was kept: advisory. What gates is counted, tests/instructions.rs.
bench: openblas
	$(CARGO) bench --locked --bench peers
	$(CARGO) bench --locked --bench roofline
	$(CARGO) bench --locked --bench solvers -- $(BASELINE)

# The tables of proofs.md, "What the audit detects" and "A network trained elsewhere".
detection: openblas
	$(CARGO) bench --locked --bench detection
	$(CARGO) bench --locked --bench inspection

# The tables of README.md, "Beside the authors' notebooks".
comparison: openblas
	$(CARGO) bench --locked --bench comparison

# The picture of README.md, by the command that is shown there.
picture: openblas
	REDRAW=1 $(CARGO) test --locked --test readme commands_print_what_is_shown

# Changes the sources in one place at a time and asks whether a test notices: every change that `cargo mutants --list` names, or
# those that SELECTION takes of them (--file, --in-diff, --shard; MUTANTS_FLAGS="--seconds 10" for a first look). One build holds
# all of them, each behind a switch (mutants/); what can have none is built by itself. Verdicts stay in target/mutants, and what
# was caught is not tried again until its file changes. What nothing can notice is listed in .cargo/mutants.toml.
SELECTION ?=
MUTANTS_FLAGS ?=
MUTANTS := $(CARGO) run --quiet --release --locked --manifest-path mutants/Cargo.toml --target-dir target/mutants/tool --

mutants: openblas
	$(MUTANTS) build $(SELECTION)
	@set -x; missed=0; \
	$(MUTANTS) run $(MUTANTS_FLAGS) || missed=1; \
	$(MUTANTS) rest || missed=1; \
	exit $$missed

# What parses and what solves, on arbitrary input; needs cargo-fuzz and a nightly compiler. What it finds is a failed run
# whose input stays in fuzz/artifacts. No sanitizer: the crate forbids unsafe code.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= csv npz command_line infinite_width finite_width

fuzz: openblas
	@set -e; for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target; \
		dictionary=fuzz/dictionaries/$$target.txt; \
		if [ -e $$dictionary ]; then dictionary=-dict=$$dictionary; else dictionary=; fi; \
		(set -x; $(CARGO) +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=60 -rss_limit_mb=3000 $$dictionary); \
	done

# What a release rests on (RELEASING.md); needs cargo-deny, cargo-semver-checks, a nightly compiler and git.
supply: package minimal-versions semver
	$(CARGO) deny --config .config/deny.toml check $(DENY)

# Compiles the library, the program and the tests from what is packed alone.
package: openblas
	$(CARGO) package --locked
	@set -ex; unpacked=$$(mktemp -d); trap 'rm -rf "$$unpacked"' EXIT; \
	tar -xzf "$${CARGO_TARGET_DIR:-target}"/package/mirrorflow-*.crate -C "$$unpacked" --strip-components 1; \
	$(CARGO) test --locked --no-run --manifest-path "$$unpacked/Cargo.toml" --target-dir "$(CURDIR)/target/unpacked"

# The least versions that Cargo.toml admits have what the code uses.
minimal-versions: openblas
	@set -ex; copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	git ls-files -z | xargs -0 tar -c | tar -x -C "$$copy"; cd "$$copy"; \
	$(CARGO) +nightly update -Z direct-minimal-versions; \
	$(CARGO) +nightly check --all-targets --target-dir "$(CURDIR)/target/minimal-versions"

# The public library against the last release; what breaks it takes a new minor version (before 1.0) or major one.
RELEASE ?= $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)

semver: openblas
	@if [ -n "$(RELEASE)" ]; then \
		set -x; $(CARGO) semver-checks --baseline-rev "$(RELEASE)"; \
	else \
		echo "There is no release yet to compare the library with."; \
	fi

setup: openblas components

openblas:
	@for folder in "$$OPENBLAS_LIB_DIR" "$$(pkg-config --variable=libdir openblas 2>/dev/null)" $(OPENBLAS_FOLDERS); do \
		for library in libopenblas.so libopenblas.dylib; do \
			if [ -n "$$folder" ] && [ -e "$$folder/$$library" ]; then exit 0; fi; \
		done; \
	done; \
	if [ "$$(uname -s)" = Darwin ] && command -v brew >/dev/null; then \
		set -x; brew install openblas; \
	elif command -v apt-get >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then root=; else root="sudo -E"; fi; \
		set -x; \
		$$root apt-get install -y --no-install-recommends libopenblas-dev \
			|| { $$root apt-get update && $$root apt-get install -y --no-install-recommends libopenblas-dev; }; \
	else \
		echo "OpenBLAS is missing: install its development package, or set OPENBLAS_LIB_DIR to the folder of libopenblas." >&2; \
		exit 1; \
	fi

components:
	@for component in rustfmt clippy; do \
		case $$component in rustfmt) command=fmt ;; *) command=$$component ;; esac; \
		if $(CARGO) $$command --version >/dev/null 2>&1; then continue; fi; \
		if command -v rustup >/dev/null; then \
			(set -x; rustup component add $$component) || exit 1; \
		else \
			echo "cargo $$command is missing: install $$component with the tool that installed Rust." >&2; \
			exit 1; \
		fi; \
	done
