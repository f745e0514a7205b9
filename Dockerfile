# The images of the three services and of the operator's client: one build stage, a target
# per image.
#
#   docker build --target command-service .
#
# Plain instructions only (no RUN --mount, heredocs or COPY --link), so that it also works
# with docker-compose v1 and the builder before BuildKit.

# As in rust-toolchain.toml; a newer one works too.
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
# `dist` gives the smallest and fastest binaries. `release` builds in half the time:
# docker-compose.yml uses it, and deploy/production uses `dist`.
ARG PROFILE=dist

# --- skeleton: the workspace without its code ---
# Manifests, lock file, cargo's config, and an empty source in place of each crate's
# root. The result changes with dependencies, not with code. New crates need no line
# here.
FROM ${RUST_IMAGE} AS skeleton
WORKDIR /workspace
COPY . .
RUN set -eu; \
    mkdir /skeleton; \
    cp -r Cargo.toml Cargo.lock .cargo /skeleton/; \
    for manifest in */Cargo.toml */*/Cargo.toml; do \
      crate=${manifest%/Cargo.toml}; \
      mkdir -p "/skeleton/$crate/src/bin"; \
      cp "$manifest" "/skeleton/$crate/"; \
      for root in build.rs src/lib.rs src/main.rs src/bin/*.rs; do \
        if [ -e "$crate/$root" ]; then \
          case $root in */lib.rs) ;; *) echo 'fn main() {}' ;; esac >"/skeleton/$crate/$root"; \
        fi; \
      done; \
      # Crates that no image needs come without sources (see .dockerignore); \
      # cargo accepts a member only with a source. \
      if [ ! -e "$crate/src" ]; then \
        touch "/skeleton/$crate/src/lib.rs"; \
        echo 'fn main() {}' >"/skeleton/$crate/src/main.rs"; \
      fi; \
      rmdir --ignore-fail-on-non-empty "/skeleton/$crate/src/bin"; \
    done

# --- dependencies: the slow layer, kept until a manifest or the lock changes ---
FROM ${RUST_IMAGE} AS dependencies
# The query macros check against the committed .sqlx: no database at build time.
ENV SQLX_OFFLINE=true
ARG PROFILE
WORKDIR /workspace
COPY --from=skeleton /skeleton ./
# Only these packages: the operator's client and the system tests add an HTTP client, a
# TLS stack, and other features of shared dependencies.
RUN cargo build --locked --profile "$PROFILE" \
      --package command-service --package consumer-service --package query-service

# --- build: the services, all at once ---
FROM dependencies AS build
ARG PROFILE
COPY . .
# Sources keep their time stamps from the host, which may be older than the empty crates
# built above; cargo would then not rebuild them.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch '{}' + \
    && cargo build --locked --profile "$PROFILE" \
         --package command-service --package consumer-service --package query-service \
    && mkdir /binaries \
    && for service in command-service consumer-service query-service; do \
         cp "target/$PROFILE/$service" /binaries/ || exit 1; \
       done

# --- the images ---
# The Debian release of the builder, for the same C library. Nothing is installed: TLS
# roots are compiled in, and each binary has its own health check. A numeric user needs no
# account, and Kubernetes can check that it is not root.
FROM debian:bookworm-slim AS service
USER 10001:10001
WORKDIR /

FROM service AS command-service
COPY --from=build /binaries/command-service /usr/local/bin/
EXPOSE 8080 9080
ENTRYPOINT ["command-service"]

FROM service AS consumer-service
COPY --from=build /binaries/consumer-service /usr/local/bin/
EXPOSE 9082
ENTRYPOINT ["consumer-service"]

FROM service AS query-service
COPY --from=build /binaries/query-service /usr/local/bin/
EXPOSE 8081 9081
ENTRYPOINT ["query-service"]

# --- the operator's client: only for `deploy/operator` ---
# Last, so that no builder builds it for the services.
FROM dependencies AS operator-build
ARG PROFILE
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch '{}' + \
    && cargo build --locked --profile "$PROFILE" --package admin \
    && cp "target/$PROFILE/admin" /admin

FROM service AS operator
COPY --from=operator-build /admin /usr/local/bin/
ENTRYPOINT ["admin"]
