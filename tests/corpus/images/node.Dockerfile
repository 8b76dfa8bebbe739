# This machine's own node and npm, and tools from their registry, installed by ci/corpus.
FROM debian:bookworm-slim
COPY --from=node bin/node /usr/local/bin/node
COPY --from=node lib/node_modules/npm /usr/local/lib/node_modules/npm
COPY --from=tools . /opt/tools
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
ENV PATH=/opt/tools/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_PATH=/opt/tools/node_modules NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false
