# Stands in for docker.io/library/golang: Debian with this machine's own Go toolchain (no gcc: CGO_ENABLED=0).
FROM debian:bookworm-slim
COPY --from=toolchain VERSION go.env /usr/local/go/
COPY --from=toolchain bin /usr/local/go/bin
COPY --from=toolchain lib /usr/local/go/lib
COPY --from=toolchain pkg/include /usr/local/go/pkg/include
COPY --from=toolchain pkg/tool /usr/local/go/pkg/tool
COPY --from=toolchain src /usr/local/go/src
ENV GOPATH=/go GOTOOLCHAIN=local CGO_ENABLED=0 PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /go
