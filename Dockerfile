# The StageFreight image: one static binary, and what it calls: buildx, a BuildKit daemon of its own, cosign.
#
# It is built by StageFreight itself and proven by building it twice (ci/self-proof), so whatever stands here must give
# the same bytes each time. Any stage can be replaced by a directory or an image, with --build-context NAME=DIR or
# NAME=docker-image://REFERENCE. Made for that, because not everybody can reach what they come from:
#   binary   holds `stagefreight`, already compiled: nothing is compiled then, and no Rust image is pulled
#   vendor   holds the crates, from `cargo vendor --versioned-dirs DIR`: nothing is downloaded then
#   cosign   holds `ko-app/cosign`
#   uidmap   holds `usr/bin/newuidmap` and `usr/bin/newgidmap`, with the libraries they need
# docs/image.md says what is in the image and why; ci/image builds it and holds it to its size.

FROM docker/buildx-bin:0.29.1 AS buildx

# The version of ci/tools/go.mod; tests/repository.rs compares them. The rootless one, because rootlesskit is in it.
FROM moby/buildkit:v0.32.2-rootless AS buildkit

FROM ghcr.io/sigstore/cosign/cosign:v3.1.1 AS cosign

FROM busybox:1.36 AS busybox

FROM debian:bookworm-slim AS uidmap
RUN apt-get update && apt-get install -y --no-install-recommends uidmap

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

# The small world the programs live in: a shell with its usual commands (GitLab's runner asks for sh and grep), the
# libraries that a program is linked against where it is not static, users, and places to write to.
FROM debian:bookworm-slim AS world
RUN --mount=type=bind,from=busybox,target=/from/busybox --mount=type=bind,from=uidmap,target=/from/uidmap \
    --mount=type=bind,from=buildkit,target=/from/buildkit --mount=type=bind,from=buildx,target=/from/buildx \
    --mount=type=bind,from=cosign,target=/from/cosign --mount=type=bind,from=certificates,target=/from/certificates <<'SH'
set -eu
export LC_ALL=C
mkdir -p /world/bin /world/dev /world/etc/ssl/certs /world/home /world/proc /world/root /world/run /world/sbin /world/sys /world/tmp \
  /world/usr/bin /world/usr/local/bin /world/usr/sbin /world/var/lib /world/var/tmp
cd /world
chmod 700 root
chmod 1777 tmp var/tmp
ln -s ../run var/run

cp /from/busybox/bin/busybox bin/busybox
for applet in $(/from/busybox/bin/busybox --list | sort); do
  if [ "$applet" != busybox ]; then ln -s busybox "bin/$applet"; fi
done
ln -s ../../bin/env usr/bin/env
# buildx asks a BuildKit container by this name; ours answers the two questions it has (src/buildctl.rs).
ln -s ../local/bin/stagefreight usr/bin/buildctl

# newuidmap gives a user what /etc/subuid says is theirs. It may by a capability of the file (SETUID is 7, SETGID 6), not by the
# setuid bit: the kernel lets only the owner of a namespace do this, which root is not.
install -m 755 /from/uidmap/usr/bin/newuidmap /from/uidmap/usr/bin/newgidmap usr/bin/
case $(uname -m) in x86_64) setxattr=188 ;; *) setxattr=5 ;; esac
for program in newuidmap:7 newgidmap:6; do
  perl -e 'my ($call, $file, $right) = @ARGV; my $value = pack("V5", 0x02000001, 1 << $right, 0, 0, 0);
    syscall($call + 0, $file, my $name = "security.capability", $value, length($value), 0) == 0 or die "$file: $!\n"' \
    "$setxattr" "usr/bin/${program%:*}" "${program#*:}"
done

cp /from/certificates/etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/tmp:/bin/false' \
  'stagefreight:x:1000:1000:stagefreight:/home/stagefreight:/bin/sh' >etc/passwd
printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' 'stagefreight:x:1000:' >etc/group
printf '%s\n' 'root:100000:65536' 'stagefreight:100000:65536' >etc/subuid
cp etc/subuid etc/subgid
echo 'hosts: files dns' >etc/nsswitch.conf
install -d -o 1000 -g 1000 home/stagefreight

# Libraries of Debian's own come first: they fit the loader that is taken along.
libraries=/lib/$(uname -m)-linux-gnu:/usr/lib/$(uname -m)-linux-gnu
for from in uidmap buildkit; do
  libraries=$libraries:/from/$from/lib/$(uname -m)-linux-gnu:/from/$from/usr/lib/$(uname -m)-linux-gnu
done
for program in bin/busybox usr/bin/newuidmap usr/bin/newgidmap /from/buildx/buildx /from/buildkit/usr/bin/buildkitd \
  /from/buildkit/usr/bin/buildkit-runc /from/buildkit/usr/bin/rootlesskit /from/cosign/ko-app/cosign; do
  # Of a static program there is nothing to say, and `ldd` says it with an error.
  LD_LIBRARY_PATH=$libraries ldd "$program" 2>/dev/null || true
done | sed -n 's/.*not found.*/&/p; s/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' | sort -u >/libraries
if grep 'not found' /libraries >&2; then exit 1; fi
while read -r library; do
  to=${library#/from/*/}
  to=${to#/}
  mkdir -p "$(dirname "$to")"
  cp -L "$library" "$to"
done </libraries
SH

FROM scratch
COPY --from=world /world /
COPY --from=buildx --chmod=755 /buildx /usr/local/libexec/docker/cli-plugins/docker-buildx
COPY --from=buildkit /usr/bin/buildkitd /usr/bin/buildkitd
COPY --from=buildkit /usr/bin/buildkit-runc /usr/bin/buildkit-runc
COPY --from=buildkit /usr/bin/rootlesskit /usr/bin/rootlesskit
COPY --from=cosign /ko-app/cosign /usr/bin/cosign
COPY --from=binary --chmod=755 /stagefreight /usr/local/bin/stagefreight
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL org.opencontainers.image.title="StageFreight Action" \
      org.opencontainers.image.description="Builds, proves and publishes container images from any CI job" \
      org.opencontainers.image.source="https://github.com/stagefreight/action" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      io.stagefreight.buildkit="v0.32.2"
ENTRYPOINT ["/usr/local/bin/stagefreight"]
