# Stands in for docker.io/moby/buildkit: what buildx starts for `--driver docker-container`.
FROM busybox
COPY . /
VOLUME /var/lib/buildkit
ENTRYPOINT ["buildkitd"]
