# Three images out of one file:
#
#   docker build --target nearline -t nearline:0.1.0 .          the engine
#   docker build --target lab -t nearline-lab:0.1.0 .           archives, facts, training sets
#   docker build --target chaos -t nearline-chaos:0.1.0 .       the harness, with the servers that it breaks
#
# Built on Debian 13, as what it runs on: the programs link its C library alone.

# The version of rust-toolchain.toml; named once more, so that nothing is installed for it.
FROM docker.io/library/rust:1.95.0-slim-trixie AS build
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /nearline
COPY . .
# `--build-arg AUDITABLE=1`: each program says in itself which crates it is made of, for scanners of images.
ARG AUDITABLE=
# `--build-arg PROFILED=1`: `nearline` is built knowing what runs often (benches/profiled), with two builds more.
ARG PROFILED=
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    [ -z "$AUDITABLE" ] || cargo install --locked cargo-auditable@0.7.7
# --locked: what is built is what was tested. Caches outlive the build, the programs are taken out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/nearline/target \
    cargo ${AUDITABLE:+auditable} build --locked --profile dist -p nearline -p nearline-chaos -p nearline-lab \
        --features nearline-lab/object-stores --bin nearline --bin nearline-chaos --bin nearline-lab \
    && mkdir /programs \
    && cp target/dist/nearline target/dist/nearline-chaos target/dist/nearline-lab /programs/ \
    && if [ -n "$PROFILED" ]; then rustup component add llvm-tools && cp "$(benches/profiled)" /programs/nearline; fi

FROM docker.io/library/debian:trixie-slim AS base
# The authorities that everybody knows, for servers whose certificates are signed by one of them.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# By number, so that Kubernetes sees that it is not root.
USER 10001:10001

FROM base AS chaos
USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends redis-server util-linux \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
# The version that is tested; Debian's is older.
COPY --from=docker.io/library/nats:2.15.1 /nats-server /usr/local/bin/
COPY --from=build /programs/nearline /programs/nearline-chaos /usr/local/bin/
COPY config/chaos /plans
ENTRYPOINT ["nearline-chaos"]
CMD ["run", "/plans/quick.toml", "--progress", "lines"]
LABEL org.opencontainers.image.title="nearline-chaos" \
      org.opencontainers.image.description="Breaks Nearline on purpose, and judges what is left" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

FROM base AS lab
COPY --from=build /programs/nearline-lab /usr/local/bin/
WORKDIR /archive
ENTRYPOINT ["nearline-lab"]
LABEL org.opencontainers.image.title="nearline-lab" \
      org.opencontainers.image.description="Archives events and facts, and makes training sets of them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

FROM base AS nearline
COPY --from=build /programs/nearline /usr/local/bin/nearline
# The embedded backend's directory, for those who mount a volume at it.
WORKDIR /data
EXPOSE 7700 7701
STOPSIGNAL SIGTERM
ENTRYPOINT ["nearline"]
CMD ["serve"]
LABEL org.opencontainers.image.title="nearline" \
      org.opencontainers.image.description="Near-real-time recommendations: what a member just watched shapes the very next page" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
