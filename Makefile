# make audit   check every claim and print the ledger
# make test    formatting, lints, documentation and all tests
# Both first install what is missing, so they work on a machine that has only Rust, a C compiler and make.

CARGO ?= cargo
export DEBIAN_FRONTEND := noninteractive

# The folders in which build.rs looks for OpenBLAS.
OPENBLAS_FOLDERS := /usr/lib/*-linux-gnu* /usr/lib64 /usr/lib /usr/local/lib64 /usr/local/lib \
	/opt/homebrew/opt/openblas/lib /usr/local/opt/openblas/lib /opt/OpenBLAS/lib

.PHONY: audit test bench detection comparison picture mutants setup openblas components

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

# Changes the sources in one place at a time and asks whether a test notices: the share SHARD of all changes, which are some
# ten thousand. What was missed is in mutants.out/missed.txt; what cannot be noticed is listed in .cargo/mutants.toml.
SHARD ?= 0/200
mutants: openblas
	$(CARGO) mutants --sharding round-robin --shard $(SHARD)

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
