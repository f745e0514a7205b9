# The three services' images, and the operator's: one build in one stage, a target per
# service.
#
#   docker build --target command-service .
#
# Plain instructions only (no RUN --mount, heredocs or COPY --link), so that
# docker-compose v1 and the builder from before BuildKit understand it too.

# As in rust-toolchain.toml; any newer one does, too.
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
# `dist` gives the smallest and fastest binaries. `release` builds in half the time:
# docker-compose.yml uses it, and deploy/production uses `dist`.
ARG PROFILE=dist

# --- skeleton: the workspace without its code ---
# Manifests, lock file and cargo's config, and an empty source in place of each
# crate's root. What comes out changes with a dependency, not with the code, and
# new crates need no line here.
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
      # cargo wants to see some before it accepts them as members. \
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
# These packages and no others: the operator's client and the system tests would
# bring an HTTP client and its TLS stack, and other features of what is shared.
RUN cargo build --locked --profile "$PROFILE" \
      --package command-service --package consumer-service --package query-service

# --- build: the services, all at once ---
FROM dependencies AS build
ARG PROFILE
COPY . .
# Sources keep the time stamps they have on the host, which may be older than
# the empty crates built above; cargo would then think those up to date.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch '{}' + \
    && cargo build --locked --profile "$PROFILE" \
         --package command-service --package consumer-service --package query-service \
    && mkdir /binaries \
    && for service in command-service consumer-service query-service; do \
         cp "target/$PROFILE/$service" /binaries/ || exit 1; \
       done

# --- the images ---
# The Debian release of the builder, so that the C library is the same. Nothing
# is installed: TLS roots are compiled in, and the health check is the binary's
# own. A numeric user needs no account, and lets Kubernetes see it is not root.
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
# After the services, so that no builder makes it for them.
FROM dependencies AS operator-build
ARG PROFILE
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch '{}' + \
    && cargo build --locked --profile "$PROFILE" --package admin \
    && cp "target/$PROFILE/admin" /admin

FROM service AS operator
COPY --from=operator-build /admin /usr/local/bin/
ENTRYPOINT ["admin"]
