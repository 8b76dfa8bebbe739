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
    shellcheck ci/testbed ci/demo ci/test .ci/run

# Format the code.
fmt:
    cargo fmt

# What we promise about speed, measured.
bench *ARGS:
    cargo bench --locked {{ARGS}}
