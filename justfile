# Thin recipes: each calls the script or the cargo command that CI calls too.

# List the recipes.
default:
    @just --list

# Format, lint, and run every test against real components: what CI runs.
ci:
    .ci/run

# The whole test suite, live tests included.
test *ARGS:
    ci/test {{ARGS}}

# Build and publish the examples to a registry on this machine.
demo:
    ci/demo

# The real components: up, status, env, down.
testbed *ARGS:
    ci/testbed {{ARGS}}

# Lints, as CI sees them.
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    shellcheck ci/testbed ci/demo ci/test ci/bench ci/binary ci/fuzz ci/prepare ci/self-proof .ci/run

# Format the code.
fmt:
    cargo fmt

# Our own image, compiled inside, proves itself: several cold compiles.
self-proof *BACKENDS:
    ci/self-proof {{BACKENDS}}

# What we promise about speed, measured beside the bare buildx.
bench *ARGS:
    ci/bench {{ARGS}}

# Write the README's tables and docs/config.md anew from the binary.
docs:
    UPDATE_DOCS=1 cargo test --locked --test repository documents
    cargo run --quiet --locked -- schema --format markdown > docs/config.md

# Throw hostile bytes at the parsers, a minute each (needs the nightly toolchain).
fuzz SECONDS="60":
    ci/fuzz {{SECONDS}}

# Licences and crates of the dependencies (needs cargo-deny; not part of `ci`).
deny:
    cargo deny check bans licenses sources
