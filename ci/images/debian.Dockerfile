# Stands in for docker.io/library/debian: a minimal bookworm with ca-certificates.
FROM scratch
ADD rootfs.tar /
CMD ["bash"]
