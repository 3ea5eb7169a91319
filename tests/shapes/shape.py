"""What a row of the table says, and what a cluster of it consists of, as Django tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Model
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.models import ClusterableModel, get_all_child_relations

from tests.shapes.values import Give, Values, settable


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A root model, and what can't be guessed of it.

    `ordered` names the column that numbers the children of a model, whatever their kind. `single`
    are the models that have one child of a parent at most. `filled` are the columns that the model
    fills in itself when it is saved, whatever a person has set. By those `within`, nodes refer to
    their siblings. `mirrored` is the type declared for the root. Where it `is_sparse`, nodes are
    given no more than they have to be; where it `is_opaque`, it has columns that modelcluster
    can't write as JSON.
    """

    model: Any
    ordered: Mapping[str, str] = field(default_factory=dict)
    give: Give = field(default_factory=dict)
    single: Collection[str] = ()
    filled: Collection[str] = ()
    within: Collection[str] = ()
    mirrored: Any = None
    depth: int = 3
    is_sparse: bool = False
    is_opaque: bool = False

    @property
    def name(self) -> str:
        """The name of the root's type."""
        return str(self.model.__name__)

    def values(self) -> Values:
        """Return values as a new start gives them."""
        return Values(give=self.give)

    def order(self, model: type[Model]) -> str | None:
        """Return the column that numbers the children of a model."""
        names = (each.__name__ for each in (model, *model._meta.all_parents))
        return next((self.ordered[each] for each in names if each in self.ordered), None)

    def is_filled(self, column: Any) -> bool:
        """Tell whether the model overwrites what is set in a column."""
        return column.name in self.filled

    def is_within(self, column: Any) -> bool:
        """Tell whether a column refers to a node of the cluster."""
        return f"{column.model.__name__}.{column.name}" in self.within

    def fields(self, model: type[Model], *, is_new: bool) -> list[Any]:
        """Return the columns that a person may set; not any more what children are kept by."""
        named = [relation.field.target_field for relation in relations(model)]
        return [
            column
            for column in model._meta.concrete_fields
            if settable(column, self.order(model))
            and (is_new or not (column.primary_key or column in named))
        ]

    def given(self, model: type[Model], *, is_new: bool) -> list[Any]:
        """Return the columns that are set."""
        found = self.fields(model, is_new=is_new)
        return [
            each
            for each in found
            if not self.is_sparse or _is_required(each) or f"*.{each.name}" in self.give
        ]


def relations(model: type[Model], depth: int = 1) -> Iterator[Any]:
    """Yield the child relations of a model; rows between it and its tags are none."""
    if depth < 1 or not issubclass(model, ClusterableModel):
        return
    tags = {each.remote_field.through for each in model._meta.many_to_many if is_tags(each)}
    for relation in get_all_child_relations(model):
        if relation.related_model not in tags:
            yield relation


def kinds(model: type[Model]) -> list[type[Model]]:
    """Return what the children of a relation may be: of its model, or what inherits its table."""
    inheriting = [each for each in apps.get_models() if model in each._meta.all_parents]
    return [model, *(each for each in inheriting if not each._meta.proxy)]


def concrete(row: Any) -> Any:
    """Return a saved row as an instance of its own kind."""
    found = [each._base_manager.filter(pk=row.pk).first() for each in kinds(type(row))]
    depth = {type(each): len(type(each)._meta.all_parents) for each in found if each is not None}
    return next(each for each in found if type(each) is max(depth, key=lambda kind: depth[kind]))


def sets(model: type[Model]) -> list[Any]:
    """Return the many-to-many fields whose rows need nothing but their two ends."""
    return [each for each in model._meta.many_to_many if is_tags(each) or _is_free(each)]


def is_tags(column: object) -> bool:
    """Tell whether a field has tags."""
    return isinstance(column, ClusterTaggableManager)


def sparse(shape: Shape) -> list[str]:
    """Return the columns that are filled in, each time otherwise, where nobody sets them."""
    return [
        *shape.filled,
        *(
            column.name
            for model in models_below(shape.model)
            for column in model._meta.concrete_fields
            if column.has_db_default() or (column.has_default() and callable(column.default))
        ),
    ]


def _is_required(column: Any) -> bool:
    return not (column.blank or column.null or column.has_default() or column.has_db_default())


def _is_free(column: Any) -> bool:
    through = column.remote_field.through
    return bool(through._meta.auto_created) or not any(
        relation.related_model is through for relation in relations(column.model)
    )


def first_number(order: str) -> int:
    """Return the number of the first child: Django's own column counts from 0."""
    return 0 if order == "_order" else 1


def models_below(root: type[Model]) -> list[type[Model]]:
    """Return the models of a cluster, the root's first, and each kind of child."""
    found = [root]
    for each in found:
        for relation in relations(each):
            found += [kind for kind in kinds(relation.related_model) if kind not in found]
    return found
