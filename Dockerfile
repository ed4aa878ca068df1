# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:24-bookworm-slim

# Compiles. Its packages stay behind; the Node of tools/node is not among them.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/build-page.ts scripts/
COPY src src
COPY routes routes
COPY tasks tasks
COPY dashboard dashboard
RUN node scripts/build.ts

# What the service needs to run, and no more.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM ${NODE_IMAGE}
# What only whoever builds knows: --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="Run items through ordered, observable pipeline stages." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    OUTPUT_DIR=/data/output \
    STORE_URL=file:/data/sluice.db
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY pipelines pipelines
# The volume takes over the owner of the folder that it covers.
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["node", "dist/src/healthcheck.js"]
STOPSIGNAL SIGTERM
# No shell and no npm before it: signals reach the service, which ends in order at the first one.
# As `npm start`: garbage is collected when the heap has grown by a third, not when it has doubled.
CMD ["node", "--max-semi-space-size=8", "--heap-growing-percent=30", "dist/src/server.js"]
