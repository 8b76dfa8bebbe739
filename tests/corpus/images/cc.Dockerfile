# gcc, clang, make, cmake and ninja, as Debian has them.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ clang lld make cmake ninja-build libc6-dev && rm -rf /var/lib/apt/lists/*
