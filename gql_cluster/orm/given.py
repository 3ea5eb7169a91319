"""Values as JSON from outside gives them: of the kind that a field writes, or refused."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BinaryField, BooleanField, ForeignKey, IntegerField, JSONField

from gql_cluster.domain.node import Json
from gql_cluster.orm.codec import encode
from gql_cluster.orm.describe import AnyField, has_default, is_text


def given_value(field: AnyField, value: Json) -> Json:
    """Return a value as nodes hold it; raises Django's `ValidationError`.

    Django's `to_python` would take a list for text and half a number for a whole one.
    """
    kind = field.target_field if isinstance(field, ForeignKey) else field
    if not _is_of_kind(kind, value):
        raise ValidationError(f"“{field.name}” can't hold {str(value)[:64]!r}.", code="invalid")
    if field.choices and not isinstance(field, ForeignKey):
        return _choice(field, value)
    given = encode(field, _python(kind, value))
    if isinstance(field, BinaryField) and given != value:
        raise ValidationError(f"“{field.name}” takes base64.", code="invalid")
    return given


def _python(field: AnyField, value: Json) -> Any:
    """Return what modelcluster would make of a value."""
    if value is None or isinstance(field, JSONField):
        return value
    try:
        return field.to_python(value)
    except (ArithmeticError, TypeError, ValueError) as exc:
        message = f"“{field.name}” can't hold that: {exc}"
        raise ValidationError(message, code="invalid") from exc


def is_filled_at_save(field: Any, *, is_new: bool) -> bool:
    """Tell whether saving gives a field its value, whatever it held before."""
    return bool(
        getattr(field, "generated", False)
        or getattr(field, "auto_now", False)
        or (is_new and (getattr(field, "auto_now_add", False) or _fills_itself(field)))
    )


def _fills_itself(field: AnyField) -> bool:
    """Tell whether nobody edits a field and its own class, none of Django's, prepares the save."""
    owner = next(cls for cls in type(field).__mro__ if "pre_save" in vars(cls))
    return not field.editable and not owner.__module__.startswith("django.")


def is_made_anew(field: AnyField) -> bool:
    """Tell whether each new object gets another value, as a UUID or the time of day."""
    if not has_default(field) or not callable(field.default):
        return False
    return encode(field, field.get_default()) != encode(field, field.get_default())


def _is_of_kind(field: AnyField, value: Json) -> bool:
    if value is None or isinstance(field, JSONField):
        return True
    if is_text(field):
        return isinstance(value, str)
    if isinstance(value, bool):
        return isinstance(field, BooleanField) or bool(field.choices)
    if isinstance(value, float) and isinstance(field, IntegerField):
        return value.is_integer()
    return True


def _choice(field: AnyField, value: Json) -> Json:
    """Return a choice; where one is required and not made yet, null, which text writes as ""."""
    if value == "" and not field.blank:
        value = None
    given = encode(field, value)
    allowed = [encode(field, each) for each, _ in field.flatchoices]
    if given in (None, "") or given in allowed:
        return given
    raise ValidationError(
        field.error_messages["invalid_choice"], code="invalid_choice", params={"value": value}
    )
