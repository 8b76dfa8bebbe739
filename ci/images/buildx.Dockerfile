# Stands in for docker.io/docker/buildx-bin: Debian's buildx, under the version that our Dockerfile asks for.
FROM scratch
COPY buildx /
