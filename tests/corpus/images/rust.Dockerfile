# The testbed's rust (`ci/testbed image rust`), and clippy.
ARG BASE
FROM ${BASE}
COPY --from=toolchain bin/cargo-clippy bin/clippy-driver /usr/local/rustup/bin/
