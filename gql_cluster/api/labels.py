"""Labels of choices: the field beside an enum that says in words what it holds."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.db.models.expressions import DatabaseDefault

from gql_cluster.api.choices import enum_of
from gql_cluster.api.fields import MirrorField
from gql_cluster.orm.describe import AnyField, can_be_null


def label_name(column: AnyField) -> str | None:
    """Return the name of the field for a column's label; None for a column without choices."""
    return None if enum_of(column) is None else f"{column.name}_display"


def label_type(column: AnyField) -> Any:
    """Return the type of a label: null where there may be no value."""
    return str | None if can_be_null(column) else str


def label_field(column: AnyField) -> LabelField:
    """Return a field that answers what the model's `get_FOO_display()` does."""
    return LabelField(
        column=column.name,
        django_name=f"get_{column.name}_display",
        only=[column.name],
        description=f"The label of the {column.verbose_name}.",
    )


class LabelField(MirrorField):
    """The label of a choice, of a saved object as of a draft's instance."""

    def __init__(self, *, column: str = "", **options: Any) -> None:
        """`column` has the choice."""
        super().__init__(**options)
        self.column = column

    def __copy__(self) -> LabelField:
        copied: LabelField = super().__copy__()
        copied.column = self.column
        return copied

    def get_result(
        self, source: Model | None, info: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Return the label at once where the value is there, else once it is loaded."""
        if source is None or self.column not in source.__dict__:
            return super().get_result(source, info, args, kwargs)
        if isinstance(source.__dict__[self.column], DatabaseDefault):
            return None
        label = getattr(source, self.django_name or "")()
        return None if label is None else str(label)
