"""Fields of a project's own: what `gql_cluster.register_field` was told of them.

The registry is as global as field classes are: a field has one shape in all schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isclass
from typing import Any

from django.db.models import Field

from gql_cluster.domain.node import Json
from gql_cluster.improper import SetupError


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """How values of a field class travel; None is what the field itself says."""

    type: Any
    encode: Callable[[Any], Json] | None
    decode: Callable[[Any], Any] | None


_REGISTERED: dict[type[Field[Any, Any]], Custom] = {}


def register_field(
    field_class: type[Field[Any, Any]],
    *,
    type: Any,  # noqa: A002 - as in strawberry.field
    encode: Callable[[Any], Json] | None = None,
    decode: Callable[[Any], Any] | None = None,
) -> None:
    """Let a field class, and its subclasses, be in clusters.

    `encode` makes JSON of a value, the same for equal values, and `decode` a value of that JSON;
    neither is given None. They are the field's own `get_prep_value()` and `to_python()` unless
    given. A `ValidationError`, `ValueError` or `TypeError` in `decode` refuses what a client sent.
    `type` is the GraphQL type of that JSON as Strawberry takes it: `str`, `int`, `list[float]`,
    `strawberry.scalars.JSON`, or a scalar of the project's own. It is what clients read and send.

    To be called before the schema is made: in `AppConfig.ready()`, or beside the field class. The
    last call of a class counts. Raises `ImproperlyConfigured` for what is no field class.
    """
    given: object = field_class
    if not (isclass(given) and issubclass(given, Field)):
        raise SetupError(
            "E016",
            f"{field_class!r} is not a class of model fields.",
            hint="Call register_field with the class itself, and no field or model.",
        )
    _REGISTERED[field_class] = Custom(type=type, encode=encode, decode=decode)


def custom(field: Field[Any, Any]) -> Custom | None:
    """Return what is registered for a field's class or the nearest above it; None for nothing."""
    return next((_REGISTERED[cls] for cls in field.__class__.__mro__ if cls in _REGISTERED), None)
