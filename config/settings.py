"""All configuration, read from the environment, once.

| variable             | default                  | meaning                                        |
| -------------------- | ------------------------ | ---------------------------------------------- |
| DEBUG                | 0                        | development: tracebacks, cookies without HTTPS |
| SECRET_KEY           | required without DEBUG   | signs cookies, session tokens and share links  |
| ALLOWED_HOSTS        | none; DEBUG: loopback    | host names served, comma separated             |
| CSRF_TRUSTED_ORIGINS | none                     | other sites that may use cookies, comma sep.   |
| DATABASE_URL         | SQLite in RUN_DIR        | where what is committed is kept                |
| DATABASE_POOL_SIZE   | 20                       | PostgreSQL connections a worker; 0: no pool    |
| REDIS_URL            | redis://127.0.0.1:6379/0 | drafts and wake-ups                            |
| GQL_CLUSTER          | {}                       | the engine's settings, as JSON                 |
| LOG_LEVEL            | INFO                     | what is logged, to stderr                      |
| RUN_DIR              | .run                     | where `make run` keeps its data                |

Behind a proxy that ends TLS, uvicorn has to be told to trust it (`FORWARDED_ALLOW_IPS`).
"""

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = Path(env.str("RUN_DIR", default=str(BASE_DIR / ".run"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY and not DEBUG:
    message = "Set SECRET_KEY to a long random string, or DEBUG=1 for development."
    raise ImproperlyConfigured(message)
SECRET_KEY = SECRET_KEY or "insecure: known to everybody, for DEBUG only"
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
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "asgi.application"
# GraphiQL's page is rendered by the template engine.
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]

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
GQL_CLUSTER = {"REDIS_URL": REDIS_URL} | env.json("GQL_CLUSTER", default={})
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_connect_timeout": 1,  # seconds
                    "socket_timeout": 1,
                    # By default ten times: a Redis that hangs would hang its caller for a minute.
                    "retry": Retry(NoBackoff(), 1, (RedisConnectionError,)),
                },
            ],
        },
    },
}

# In the database alone: a cache in Redis would fail with it.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = not DEBUG

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Django's own handler would print each message a second time.
    "loggers": {"django": {"handlers": []}},
}

# graphql-core drops the coroutines that it has not begun when an operation is cancelled, as it is
# when its socket closes. Nothing is lost, and Python would warn. In tests it is an error, as ever.
warnings.filterwarnings("ignore", "coroutine '.*' was never awaited", RuntimeWarning)
