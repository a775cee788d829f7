FROM node:24-slim AS build
# better-sqlite3 is compiled if its prebuilt binary cannot be downloaded. The compiler stays in this stage.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# Dependencies before sources, so that a source change reuses the cached install.
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
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
# A new volume takes its owner from this directory.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# HOST is not loopback, so the service starts only if the store has a key or ALLOW_ANONYMOUS=true.
# docker-compose.yml sets the latter and publishes the port on 127.0.0.1 only.
CMD ["node", "dist/src/cli/main.js", "serve"]
