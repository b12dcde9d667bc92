# Quaymaster as an image: the dashboard, then the binary with its dependencies cached, then the binary alone on a slim
# system. No Postgres is inside: give it DATABASE_URL (or DB_HOST and so on), JWT_SECRET and ENCRYPTION_KEY.
#
#   docker build -t quaymaster .

FROM node:20-bookworm-slim AS dashboard
WORKDIR /build
# The packages change seldom: a layer of their own.
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend ./
RUN npm run build

FROM rust:1.95-slim-bookworm AS binary
WORKDIR /build
ENV CARGO_TARGET_DIR=/target CARGO_INCREMENTAL=0
# The dependencies alone, against empty sources: built anew only when the lock changes.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/suite \
 && echo 'fn main() {}' | tee src/main.rs tests/suite/main.rs build.rs >/dev/null \
 && touch src/lib.rs \
 && cargo build --locked --release \
 && rm -rf src tests build.rs
COPY . .
COPY --from=dashboard /build/dist frontend/dist
# The files above may be older than the empty ones were, and cargo goes by that.
RUN touch build.rs src/lib.rs src/main.rs \
 && cargo build --locked --release \
 && install -D /target/release/quaymaster /out/quaymaster

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/quaymaster --create-home quaymaster
COPY --from=binary /out/quaymaster /usr/local/bin/quaymaster
USER 10001:10001
WORKDIR /var/lib/quaymaster
ENV HOST=0.0.0.0 PORT=8080 DATA_DIR=/var/lib/quaymaster
EXPOSE 8080
# Asks the running server whether it is ready; there is no other HTTP client in here.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["quaymaster", "health"]
ENTRYPOINT ["quaymaster"]
CMD ["serve"]
