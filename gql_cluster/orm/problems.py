"""Django's validation errors as problems of a draft's nodes, with a place and a reason for each."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from gql_cluster.domain.error import ErrorCode, Problem
from gql_cluster.domain.tree import path_to
from gql_cluster.orm.instance import Family


def problems_of(
    family: Family, key: str, error: ValidationError, field: str | None = None
) -> Iterator[Problem]:
    """Yield a node's validation error as problems, one a message.

    What does not say which field it is about is about `field`.
    """
    by_field = getattr(error, "error_dict", None) or {NON_FIELD_ERRORS: error.error_list}
    for name, errors in by_field.items():
        for each in errors:
            at = field if name == NON_FIELD_ERRORS else name
            for message in each:
                yield problem(family, key, at, message, each.code)


def problem(  # noqa: PLR0913, PLR0917 - a problem, said whole
    family: Family,
    key: str | None,
    field: str | None,
    message: str,
    reason: str | None = None,
    below: tuple[str, ...] = (),
) -> Problem:
    """Return one problem of a node, with its path; `below` leads on from a set as its field."""
    node = family.snapshot.node(key) if key is not None else None
    path = path_to(family.snapshot.node, node) if node is not None else ()
    return Problem(
        code=ErrorCode.VALIDATION_FAILED,
        message=message,
        key=key,
        field=field,
        path=(*path, field, *below) if field else path,
        reason=reason,
    )
