# Frameworks of JavaScript from their registry, installed by ci/corpus, on this machine's own node.
FROM corpus/node:latest
COPY --from=tools . /opt/web
ENV PATH=/opt/web/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_PATH=/opt/web/node_modules NEXT_TELEMETRY_DISABLED=1
