# The service as a container: any user id, a read-only root file system (give it a volume on /var/lib/winner-view if the
# view is kept in SQLite), HTTP on all of its addresses. Options are arguments or WINNER_VIEW_...:
#
#     docker run --read-only -p 8080:8080 winner-view --source kinesis:retail-stream --store dynamodb:prod
#
# tests/root/test_container.py runs these steps without an engine. It supports FROM, LABEL, ENV, WORKDIR, COPY, RUN, USER,
# EXPOSE, HEALTHCHECK and ENTRYPOINT, in the forms used here.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/packages.sh deploy/packages.sh
RUN bash -euc '. deploy/packages.sh && packages_install build'
COPY . .
RUN cmake --preset release && cmake --build --preset release --target winner-view
RUN DESTDIR=/out cmake --install build/release --component program --prefix /usr --strip

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="winner-view"
LABEL org.opencontainers.image.description="Who is winning at Hello, Retail!: a materialized view of its events, over HTTP"
LABEL org.opencontainers.image.version="0.1.0"
LABEL org.opencontainers.image.licenses="MIT"
COPY deploy/packages.sh /tmp/packages.sh
RUN bash -euc '. /tmp/packages.sh && packages_install runtime && rm -rf /tmp/packages.sh /var/lib/apt/lists/*'
RUN install -d -o 65532 -g 65532 /var/lib/winner-view
COPY --from=build /out/usr/bin/winner-view /usr/bin/winner-view
WORKDIR /var/lib/winner-view
USER 65532:65532
ENV WINNER_VIEW_LISTEN=[::]:8080
ENV WINNER_VIEW_LOG_FORMAT=json
EXPOSE 8080
# Liveness only: a process that replays, waits for its store or is degraded must not be killed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/bin/winner-view", "healthcheck"]
ENTRYPOINT ["/usr/bin/winner-view"]
