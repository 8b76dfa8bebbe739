# Debian's JDK, Maven and Gradle; Maven's plugins as this machine has fetched them (ci/corpus), so that builds are offline.
FROM debian:bookworm-slim
RUN mkdir -p /usr/share/man/man1 && apt-get update && apt-get install -y --no-install-recommends default-jdk-headless maven gradle junit4 && rm -rf /var/lib/apt/lists/*
COPY --from=tools repository /root/.m2/repository
