# The service: any number of these, beside one PostgreSQL (DATABASE_URL) and one Redis
# (REDIS_URL). docs/how-to/deploy.md has every variable. Once for each release:
#   docker run --rm --env-file .env <image> python manage.py migrate
#
# The base is pinned by tag, so that a rebuild has its security fixes. Where builds have to be the
# same for ever, give a digest: --build-arg BASE=python@sha256:…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY requirements-service.lock ./
# From wheels alone: nothing is compiled, and nothing of a package runs here.
RUN python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: \
    --require-hashes -r requirements-service.lock
WORKDIR /app
COPY manage.py asgi.py ./
COPY config config
COPY gql_cluster gql_cluster
COPY schema schema
# Python writes nothing at run time, so what it would write is made here.
RUN python -m compileall -q --invalidation-mode unchecked-hash .

FROM ${BASE}
LABEL org.opencontainers.image.title="gql_cluster" \
      org.opencontainers.image.licenses="BSD-3-Clause"
# uvicorn reads UVICORN_*. Its connections stay open for longer than the proxy keeps them: else the
# proxy would send a request on one that is just being closed. Its own protocols would wait for slow
# and for mute clients as long as these like.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    UVICORN_HOST=0.0.0.0 \
    UVICORN_PORT=8000 \
    UVICORN_HTTP=config.protocols:HttpProtocol \
    UVICORN_WS=config.protocols:WebSocketProtocol \
    UVICORN_WS_MAX_SIZE=2621440 \
    UVICORN_LIMIT_CONCURRENCY=10000 \
    UVICORN_TIMEOUT_KEEP_ALIVE=75 \
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=10 \
    UVICORN_LOG_CONFIG=config/logging.json
WORKDIR /app
COPY --from=builder /venv /venv
COPY --from=builder /app /app
USER 10001:10001
EXPOSE 8000
# On this signal requests in flight are answered, and sockets closed with 1012.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "config.healthcheck"]
CMD ["uvicorn", "asgi:application"]
