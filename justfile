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
    shellcheck ci/testbed ci/demo ci/test ci/bench ci/binary ci/corpus ci/fuzz ci/image ci/lint-forges ci/prepare ci/release ci/runners ci/self-proof native/run .ci/run

# What runners and forges read: actions, workflows, templates, by schemas, actionlint and zizmor.
lint-forges:
    ci/runners up check-jsonschema actionlint zizmor
    eval "$(ci/runners env)" && ci/lint-forges

# Release a version, step by step: a leg on a machine of each platform, then prepare, then publish.
release *ARGS:
    ci/release {{ARGS}}

# Format the code.
fmt:
    cargo fmt

# Our own image, compiled inside, proves itself: several cold compiles.
self-proof *BACKENDS:
    ci/self-proof {{BACKENDS}}

# What we promise about speed, measured beside the bare buildx.
bench *ARGS:
    ci/bench {{ARGS}}

# Write the README's tables, the components' inputs and docs/config.md anew from the binary.
docs:
    UPDATE_DOCS=1 cargo test --locked --test repository documents
    UPDATE_DOCS=1 cargo test --locked --test templates components_offer
    cargo run --quiet --locked -- schema --format markdown > docs/config.md

# Throw hostile bytes at the parsers, a minute each (needs the nightly toolchain).
fuzz SECONDS="60":
    ci/fuzz {{SECONDS}}

# Licences and crates of the dependencies (needs cargo-deny; not part of `ci`).
deny:
    cargo deny check bans licenses sources
