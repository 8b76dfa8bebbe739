# The StageFreight image: one static binary, and the buildx it calls.
#
# It is built by StageFreight itself and proven by building it twice (ci/self-proof), so whatever stands here must give
# the same bytes each time. Three stages can be replaced by a directory, with --build-context NAME=DIR:
#   binary   holds `stagefreight`, already compiled: nothing is compiled then, and no Rust image is pulled
#   vendor   holds the crates, from `cargo vendor --versioned-dirs DIR`: nothing is downloaded then
#   buildx   holds `buildx`

FROM docker/buildx-bin:0.29.1 AS buildx

FROM scratch AS vendor

# The version of rust-toolchain.toml; tests/repository.rs compares them.
FROM rust:1.95.0-slim-bookworm AS binary
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY src src
# A target named in full makes only the binary static, not the build scripts and macros that make it. Where the crates
# lay is not seen in the binary: the downloaded ones and those of `vendor` give the same bytes.
RUN --mount=type=bind,from=vendor,target=/vendor <<'SH'
set -eu
target=$(rustc -vV | sed -n 's/^host: //p')
set -- --locked --target "$target"
if [ -n "$(ls -A /vendor)" ]; then
  crates=/vendor
  set -- "$@" --config 'source.crates-io.replace-with="vendor"' --config 'source.vendor.directory="/vendor"'
else
  cargo fetch "$@"
  crates=$(echo "$CARGO_HOME"/registry/src/*)
fi
export RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$crates=/crates" CARGO_INCREMENTAL=0
cargo build --release --bin stagefreight --target-dir /target "$@"
mv "/target/$target/release/stagefreight" /stagefreight
rm -rf /target
SH

# Only the bundle is taken from here, so that no package manager's log or database gets into the image.
FROM debian:bookworm-slim AS certificates
RUN test -e /etc/ssl/certs/ca-certificates.crt || \
    { apt-get update && apt-get install -y --no-install-recommends ca-certificates; }

# Debian, because a job image on GitLab needs a shell.
FROM debian:bookworm-slim
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=buildx --chmod=755 /buildx /usr/local/libexec/docker/cli-plugins/docker-buildx
COPY --from=binary --chmod=755 /stagefreight /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/stagefreight"]
