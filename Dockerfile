FROM node:24-slim AS build
# better-sqlite3 compiles where its ready-made binary cannot be downloaded. The tools stay in this stage.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# First what changes seldom, so that a change of source does not install everything again.
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY compactor ./compactor
RUN npm run build \
 && npm prune --omit=dev

FROM node:24-slim
ENV HOST=0.0.0.0 \
    PORT=8080 \
    DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A new volume takes its owner from this folder.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Others can reach this address, so it starts only with a key in its store or ALLOW_ANONYMOUS=true (see docker-compose.yml, which lets in nobody but this machine).
CMD ["node", "dist/src/cli/main.js", "serve"]
