"""All configuration, read from the environment, once.

| variable             | default                  | meaning                                        |
| -------------------- | ------------------------ | ---------------------------------------------- |
| DEBUG                | 0                        | development: tracebacks, cookies without HTTPS |
| SECRET_KEY           | required without DEBUG   | signs cookies, session tokens and share links  |
| SECRET_KEY_FALLBACKS | none                     | former ones, which are good still              |
| ALLOWED_HOSTS        | none; DEBUG: loopback    | host names served, comma separated             |
| CSRF_TRUSTED_ORIGINS | none                     | other sites that may use cookies, comma sep.   |
| DATABASE_URL         | DEBUG: SQLite in RUN_DIR | where what is committed is kept                |
| ALLOW_SQLITE         | 0                        | SQLite without DEBUG, for one machine alone    |
| DATABASE_POOL_SIZE   | 20                       | PostgreSQL connections a worker; 0: no pool    |
| REDIS_URL            | DEBUG: 127.0.0.1, 6379   | drafts and wake-ups                            |
| GQL_CLUSTER          | {}                       | the engine's settings, as JSON                 |
| ANONYMOUS_EDITING    | DEBUG                    | anybody may edit and commit, not only users    |
| ADMIN                | 0                        | /admin/, to log in and to look at receipts     |
| OTEL                 | 0                        | traces, sent as OTEL_* says                    |
| METRICS_PORT         | none                     | where Prometheus finds /metrics                |
| METRICS_HOST         | 127.0.0.1                | the address of that                            |
| LOG_LEVEL            | INFO                     | what is logged, to stderr                      |
| LOG_FORMAT           | json; DEBUG: line        | how                                            |
| RUN_DIR              | .run                     | where `make run` keeps its data                |
| SECURE_SSL_REDIRECT  | 1; DEBUG: 0              | plain HTTP is sent to HTTPS                    |
| SECURE_HSTS_SECONDS  | a year; DEBUG: 0         | how long browsers take nothing but HTTPS       |
| SECURE_PROXY_SSL_HEADER | none                  | as in X-Forwarded-Proto: the proxy says HTTPS  |

Without DEBUG the service refuses to start where this is not fit for production; all that is
wrong is told at once. Behind a proxy that ends TLS, uvicorn has to be told to trust it
(`FORWARDED_ALLOW_IPS`), or the header that tells of HTTPS be named.
"""

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured

import gql_cluster
from config.logs import logging_settings
from config.production import require_fit

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = Path(env.str("RUN_DIR", default=str(BASE_DIR / ".run"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
if not DEBUG:
    require_fit(os.environ)
SECRET_KEY = env.str("SECRET_KEY", default="") or "insecure: known to everybody, for DEBUG only"
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "modelcluster",
    "taggit",
    "strawberry_django",
    "gql_cluster",
    "schema",
    "schema.bands",
    "schema.films",
    "schema.people",
    "schema.places",
    "schema.posts",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "asgi.application"
# GraphiQL's page is rendered by the template engine.
TEMPLATES: list[dict[str, Any]] = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates"},
]

# To log in, and to look at receipts. Off by default: one layer more on every request.
ADMIN = env.bool("ADMIN", default=False)
if ADMIN:
    INSTALLED_APPS += [
        "django.contrib.admin",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ]
    MIDDLEWARE += ["django.contrib.messages.middleware.MessageMiddleware"]
    TEMPLATES[0] |= {
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
    STATIC_URL = "static/"
    WHITENOISE_USE_FINDERS = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"


# A server that is gone without a word is given up after some seconds; by default it takes TCP
# minutes, or hours where nothing is being sent. None of these has a meaning on a Unix socket.
POSTGRES_TIMEOUTS = {
    "connect_timeout": 2,  # seconds
    "keepalives_idle": 5,  # seconds
    "keepalives_interval": 2,  # seconds
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,  # milliseconds
}


def database(url: str, pool_size: int) -> dict[str, Any]:
    """The settings of the database at `url`, fit for concurrent writers under ASGI.

    SQLite takes its write lock when a transaction begins, so that what was read is still
    true when it is written, and waits for it; readers go on beside a writer (WAL).

    PostgreSQL is reached through psycopg's pool. Django advises against persistent
    connections under ASGI, and with a connection for each request a burst of requests
    would exceed what the server accepts. The pool bounds them, checks each before use, and
    fails and recovers within seconds when the server goes away and comes back.
    """
    settings: dict[str, Any] = env.db_url_config(url)
    options: dict[str, Any] = settings.setdefault("OPTIONS", {})
    if settings["ENGINE"] == "django.db.backends.sqlite3":
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    elif settings["ENGINE"] == "django.db.backends.postgresql":
        settings |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
        for name, value in POSTGRES_TIMEOUTS.items():
            options.setdefault(name, value)
        if pool_size:
            from config.postgres import Connection  # noqa: PLC0415 - psycopg is an extra

            options["pool"] = {
                "connection_class": Connection,
                "min_size": 1,
                "max_size": pool_size,
                "timeout": 2,  # seconds that a request waits for a connection
                "reconnect_timeout": 1,  # seconds; then the next request tries again
            }
    return settings


DATABASES = {
    "default": database(
        env.str("DATABASE_URL", default=f"sqlite:///{quote(str(RUN_DIR / 'db.sqlite3'))}"),
        env.int("DATABASE_POOL_SIZE", default=20),
    ),
}

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
GQL_CLUSTER = {
    "REDIS_URL": REDIS_URL,
    "ANONYMOUS_EDITING": env.bool("ANONYMOUS_EDITING", default=DEBUG),
    "METRICS_PORT": env.int("METRICS_PORT") if env.str("METRICS_PORT", default="") else None,
    "METRICS_HOST": env.str("METRICS_HOST", default="127.0.0.1"),
} | env.json("GQL_CLUSTER", default={})
OTEL = env.bool("OTEL", default=False)
try:
    CHANNEL_LAYERS = {"default": gql_cluster.channel_layer(REDIS_URL)}
except ValueError as exc:
    message = f"REDIS_URL: {exc}."
    raise ImproperlyConfigured(message) from exc

# In the database alone: a cache in Redis would fail with it.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = not DEBUG

# A browser that has come by HTTPS once comes by nothing else: this host and those below it.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
if PROXY_HEADER := env.str("SECURE_PROXY_SSL_HEADER", default=""):
    name = PROXY_HEADER.strip().upper().replace("-", "_")
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{name}", "https")

LOGGING = logging_settings()

# graphql-core drops the coroutines that it has not begun when an operation is cancelled, as it is
# when its socket closes. Nothing is lost, and Python would warn. In tests it is an error, as ever.
warnings.filterwarnings("ignore", "coroutine '.*' was never awaited", RuntimeWarning)
