"""What a service has to have that faces strangers: without DEBUG it does not start before."""

from collections.abc import Iterator, Mapping

from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "on", "ok", "true", "y", "yes"}  # as django-environ reads them


class NotFitError(ImproperlyConfigured):
    """The environment is not fit for production; says all that is wrong."""


def require_fit(variables: Mapping[str, str]) -> None:
    """Raise `NotFitError` for an environment in which no service should face strangers."""
    found = list(problems(variables))
    if found:
        listed = "".join(f"\n  - {problem}" for problem in found)
        raise NotFitError(
            f"This environment is not fit for production:{listed}\n"
            "For development, set DEBUG=1 instead."
        )


def problems(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with an environment, and what to do about it."""
    yield from _key_problems(variables)
    hosts = _listed(variables, "ALLOWED_HOSTS")
    if not hosts:
        yield "Set ALLOWED_HOSTS to the host names that are served, comma separated."
    if "*" in hosts:
        yield "ALLOWED_HOSTS has “*”: name the hosts, or any client says which one it is."
    # The one that was brought along for a trial would be taken without a word.
    url = variables.get("DATABASE_URL", "")
    if not url:
        yield "Set DATABASE_URL, as in postgres://user:password@host/name."
    elif url.startswith("sqlite") and not _is_set(variables, "ALLOW_SQLITE"):
        yield (
            "DATABASE_URL is SQLite, which one machine alone can use: take PostgreSQL, or set "
            "ALLOW_SQLITE=1 if there is but one and it keeps its disk."
        )
    if not variables.get("REDIS_URL"):
        yield "Set REDIS_URL, as in redis://host:6379/0."


def _key_problems(variables: Mapping[str, str]) -> Iterator[str]:
    advice = (
        f"a random string of {SECRET_KEY_MIN_LENGTH} characters or more, such as "
        "`python -c 'import secrets; print(secrets.token_urlsafe(48))'` prints."
    )
    if not variables.get("SECRET_KEY"):
        yield f"Set SECRET_KEY to {advice}"
    elif not _is_secret(variables["SECRET_KEY"]):
        yield f"SECRET_KEY can be guessed: set it to {advice}"
    if not all(map(_is_secret, _listed(variables, "SECRET_KEY_FALLBACKS"))):
        yield "SECRET_KEY_FALLBACKS has one that can be guessed: leave it out."


def _is_secret(key: str) -> bool:
    """Tell what `manage.py check --deploy` does."""
    return (
        len(key) >= SECRET_KEY_MIN_LENGTH
        and len(set(key)) >= SECRET_KEY_MIN_UNIQUE_CHARACTERS
        and not key.startswith(SECRET_KEY_INSECURE_PREFIX)
    )


def _listed(variables: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in variables.get(name, "").split(",") if part.strip()]


def _is_set(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").strip().lower() in _TRUE
