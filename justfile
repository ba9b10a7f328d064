# The daily commands. `just` alone lists them; CONTRIBUTING.md says when to run which.

_list:
    @just --list --unsorted

# does everything compile?
check:
    cargo check --workspace --all-targets

# tests of one room, such as `just room model` or `just room ranking row_search`
room ROOM *ARGS:
    cargo nextest run -p nearline-{{ ROOM }} {{ ARGS }}

# the whole program on the embedded backend; no server is needed
service *ARGS:
    cargo nextest run --test service {{ ARGS }}

# all tests, servers included; arguments are nextest's
test *ARGS:
    tests/run {{ ARGS }}

# formatting, clippy and the house's own checks
lint:
    cargo fmt --all --check
    cargo xtask all
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# worlds of the simulation, each checked against an oracle
simulate SEEDS="10000" *ARGS:
    cargo run --release -p nearline-chaos -- simulate --seeds {{ SEEDS }} {{ ARGS }}

# one world again, step by step
replay SEED:
    cargo run --release -p nearline-chaos -- simulate --seeds 1 --trace --from {{ SEED }}

# real servers and engines, broken on purpose
chaos PLAN="config/chaos/quick.toml" *ARGS:
    cargo build --release
    cargo run --release -p nearline-chaos -- run {{ PLAN }} {{ ARGS }}

# the engine beside a simulated audience
demo *ARGS:
    cargo run --release -- demo {{ ARGS }}

# the budgets, such as `just bench fold`
bench *ARGS:
    cargo run --release --features bench -- bench {{ ARGS }}

# off-line evaluation, such as `just evaluate prequential events.ndjson`
evaluate *ARGS:
    cargo run --release -p nearline-lab -- evaluate {{ ARGS }}

# the code's documentation, and the examples in it
docs:
    RUSTDOCFLAGS="-Dwarnings" cargo doc --no-deps --workspace
    cargo test --doc --workspace

# what is made from the code: invariants, OpenAPI, bad input, golden files that are not there yet
generate:
    cargo xtask invariants
    NEARLINE_WRITE_DOCS=1 cargo nextest run --test service bad_input:: the_description_that_is_served
    NEARLINE_WRITE_GOLDEN=1 cargo nextest run -p nearline-model --test golden

# what must hold before a change goes in
ci:
    .ci/run
