# Debian's python with pip, pytest and mypy; ruff from its registry, installed by ci/corpus.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip python3-venv python3-setuptools python3-wheel python3-pytest mypy gcc libc6-dev && rm -rf /var/lib/apt/lists/* && ln -s python3 /usr/bin/python
COPY --from=tools bin/ruff /usr/local/bin/ruff
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
