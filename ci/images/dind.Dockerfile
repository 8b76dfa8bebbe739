# Stands in for docker.io/library/docker, the docker-in-docker one: an engine that starts with the container and, where
# DOCKER_TLS_CERTDIR names a directory, makes its certificates there and listens with them only.
FROM scratch
ADD rootfs.tar /
COPY bin /usr/local/bin
COPY --chmod=755 <<'SH' /usr/local/bin/dockerd-entrypoint.sh
#!/bin/bash
set -euo pipefail

# The client's directory is the one that jobs get: nothing else lies in it, and it appears last.
certificates() { # DIR
  local ca=$1/ca server=$1/server client=$1/client names
  mkdir -p "$ca" "$server" "$client"
  names="DNS:docker,DNS:localhost,DNS:$(hostname),IP:127.0.0.1$(printf ',IP:%s' $(hostname -I))"
  key "$ca/key.pem"
  openssl req -new -x509 -key "$ca/key.pem" -days 800 -subj "/CN=docker:dind CA" -out "$ca/cert.pem"
  signed server "$server" "subjectAltName=$names"
  signed client "$client" "extendedKeyUsage=clientAuth"
}

signed() { # WHAT DIR EXTENSION
  key "$2/key.pem"
  openssl req -new -key "$2/key.pem" -subj "/CN=docker:dind $1" |
    openssl x509 -req -CA "$ca/cert.pem" -CAkey "$ca/key.pem" -CAcreateserial -days 800 -extfile <(echo "$3") -out "$2/cert.pem"
  cp "$ca/cert.pem" "$2/ca.pem"
}

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# Of control groups in version 2, only one without processes of its own hands controllers on to those below it.
hand_on_controllers() {
  local pid
  mkdir -p /sys/fs/cgroup/init
  for pid in $(</sys/fs/cgroup/cgroup.procs); do
    echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
  done
  printf '+%s ' $(</sys/fs/cgroup/cgroup.controllers) >/sys/fs/cgroup/cgroup.subtree_control
}

if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then hand_on_controllers; fi
listen=(--host=tcp://0.0.0.0:2375 --tls=false)
if [[ -n ${DOCKER_TLS_CERTDIR:-} ]]; then
  certificates "$DOCKER_TLS_CERTDIR"
  server=$DOCKER_TLS_CERTDIR/server
  listen=(--host=tcp://0.0.0.0:2376 --tlsverify "--tlscacert=$server/ca.pem" "--tlscert=$server/cert.pem" "--tlskey=$server/key.pem")
fi
# These are for clients; the engine would read them, too.
unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH
exec docker-init -- dockerd --host=unix:///var/run/docker.sock "${listen[@]}" "$@"
SH
ENV DOCKER_TLS_CERTDIR=/certs
VOLUME /var/lib/docker
EXPOSE 2375 2376
ENTRYPOINT ["dockerd-entrypoint.sh"]
