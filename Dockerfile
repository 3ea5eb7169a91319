# The service: any number of these, beside one PostgreSQL (DATABASE_URL) and one Redis
# (REDIS_URL). config/settings.py lists every variable. Once for each release:
#   docker run --rm <image> python manage.py migrate

FROM python:3.11-slim AS builder
WORKDIR /build
RUN python -m venv /venv
COPY requirements-service.lock .
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-service.lock

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=10 \
    UVICORN_LOG_CONFIG=config/logging.json
RUN useradd --system --uid 10001 --no-create-home service
WORKDIR /app
COPY --from=builder /venv /venv
COPY manage.py asgi.py ./
COPY config config
COPY gql_cluster gql_cluster
COPY schema schema
USER service
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-m", "config.healthcheck"]
# uvicorn reads UVICORN_* (UVICORN_WORKERS, …) and FORWARDED_ALLOW_IPS from the environment.
CMD ["uvicorn", "asgi:application", "--host", "0.0.0.0", "--port", "8000"]
