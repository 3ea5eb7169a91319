"""Describing a cluster: from a `ClusterableModel` to its `ClusterSpec`, computed once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

from django.db.models import (
    NOT_PROVIDED,
    AutoField,
    CharField,
    Field,
    FileField,
    FilePathField,
    ForeignKey,
    IntegerField,
    Model,
    TextField,
    UniqueConstraint,
)
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel, get_all_child_relations

from gql_cluster.domain.spec import ClusterSpec, FieldSpec, NodeSpec, RelationSpec, SetSpec
from gql_cluster.orm.inheritance import kinds
from gql_cluster.orm.kinds import (
    can_be_staged,
    ignores_case,
    is_filled,
    is_tags,
    row_columns,
    tagged_models,
)

AnyField: TypeAlias = "Field[Any, Any]"

ORDER_COLUMN = "_order"
"""What Django calls the column of `order_with_respect_to`; it numbers from 0."""
ORDER_FIELD_NAMES = frozenset({"position", "sort_order", "order"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster as described, with the model of each of its node types.

    `title` is the name by which clients know it: its root's mirror type has that. What is stored
    of a draft says `name`, which no declaration changes.
    """

    title: str
    model: type[ClusterableModel]
    spec: ClusterSpec
    models: Mapping[str, type[Model]]

    def type_of(self, model: type[Model]) -> str:
        """Return the node type of a model's rows; raises `LookupError` for another's."""
        return next(name for name, each in self.models.items() if each is model)

    def kinds(self, name: str) -> dict[type[Model], str]:
        """Return the models of the node types that are a kind of one, the deepest first."""
        names = {self.models[each]: each for each in self.spec.kinds(name)}
        return {kind: names[kind] for kind in kinds(self.models[name]) if kind in names}

    def without_kinds(self, hidden: Collection[type[Model]]) -> Cluster:
        """Return the cluster with children of some models served as these, of whatever kind."""
        names = {name for name, model in self.models.items() if model in hidden}
        nodes = {
            name: replace(node, bases=()) if names.intersection(node.bases) else node
            for name, node in self.spec.nodes.items()
        }
        found = [self.spec.root]
        for each in found:
            below = {relation.child for relation in nodes[each].relations.values()}
            kinds = [name for name, node in nodes.items() if below.intersection(node.bases)]
            found += [name for name in (*below, *kinds) if name not in found]
        spec = replace(self.spec, nodes={name: nodes[name] for name in nodes if name in found})
        return replace(self, spec=spec, models={name: self.models[name] for name in spec.nodes})

    @property
    def name(self) -> str:
        """The root's type name."""
        return self.spec.root

    @property
    def label(self) -> str:
        """The root model's label, `app.Model`."""
        return self.model._meta.label


@cache
def describe(model: type[ClusterableModel]) -> Cluster:
    """Return the cluster of a root model: every child relation at any depth, and every set.

    Relations of superclasses belong to it, too, and children of each kind: the models that
    inherit a child's table. Where a child has several parental keys, a row is one node: in the
    first relation that finds it, on the way from the root. A node type is named as its model,
    with the app's label before it where two models of one cluster share a name.
    """
    models = _models_below(model)
    orders = {
        (relation.related_model, order)
        for parent in models
        for relation in _child_relations(parent)
        if (order := order_field(relation.related_model, relation.field.name)) is not None
    }
    names = _names(models)
    nodes = {names[each]: _node(each, names, orders) for each in models}
    spec = ClusterSpec(root=names[model], nodes=nodes)
    models_of = {names[each]: each for each in models}
    return Cluster(title=names[model], model=model, spec=spec, models=models_of)


def stored_fields(model: type[Model]) -> list[AnyField]:
    """Return the concrete fields of a model that a node may hold, parental keys among them."""
    return [
        field
        for field in model._meta.concrete_fields
        if not (field.primary_key and _is_automatic(field))
        and not getattr(field.remote_field, "parent_link", False)
    ]


def order_field(model: type[Model], parental_key: str) -> str | None:
    """Return the field that holds a child's place among its siblings, if it has one.

    It is that of Django's `order_with_respect_to`; else the model's `sort_order_field`
    (Wagtail's convention); else the integer field that
    `Meta.ordering` begins with, when that is unique together with the parental key or is
    called `position`, `sort_order` or `order`.
    """
    above: Any = model._meta.order_with_respect_to
    if above is not None:
        return ORDER_COLUMN if above.name == parental_key else None
    declared = getattr(model, "sort_order_field", None)
    if isinstance(declared, str):
        return declared
    ordering = model._meta.ordering
    if not ordering or not isinstance(ordering[0], str):
        return None
    name = ordering[0]
    field = next((field for field in stored_fields(model) if field.name == name), None)
    if not isinstance(field, IntegerField):
        return None
    together = {parental_key, name}
    is_unique = any(set(fields) == together for fields in unique_sets(model))
    return name if is_unique or name in ORDER_FIELD_NAMES else None


@cache
def unique_sets(model: type[Model]) -> tuple[tuple[str, ...], ...]:
    """Return the sets of fields of which no two rows may be equal, single ones included.

    Constraints with a condition, or by which nulls are alike, are not among them.
    """
    above = (model, *model._meta.all_parents)
    return tuple(dict.fromkeys(names for each in above for names in own_unique_sets(each)))


def own_unique_sets(model: type[Model]) -> tuple[tuple[str, ...], ...]:
    """Return those of a model's own table."""
    sets: list[tuple[str, ...]] = [
        (field.name,)
        for field in model._meta.local_concrete_fields
        if field.unique
        and not (field.primary_key and _is_automatic(field))
        and not getattr(field.remote_field, "parent_link", False)
    ]
    sets += [tuple(names) for names in model._meta.unique_together]
    sets += [
        tuple(constraint.fields)
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint)
        and is_unique_fields(constraint)
        and constraint.condition is None
        and constraint.nulls_distinct is not False
    ]
    return tuple(dict.fromkeys(sets))


def is_unique_fields(constraint: object) -> bool:
    """Tell whether a constraint says that some fields are unique together, perhaps not always."""
    return isinstance(constraint, UniqueConstraint) and bool(constraint.fields)


def has_default(field: AnyField) -> bool:
    """Tell whether a new object gets a value in this field unasked, while it is in memory."""
    return field.default is not NOT_PROVIDED


def is_text(field: AnyField) -> bool:
    """Tell whether an absent value of a field is the empty string."""
    is_one = isinstance(field, CharField | TextField | FileField | FilePathField)
    return is_one and not field.choices and not field.has_db_default()


def can_be_null(field: AnyField) -> bool:
    """Tell whether a draft may hold null in a field, where a saved object perhaps may not."""
    return field.null or not (has_default(field) or is_text(field))


def _is_automatic(field: AnyField) -> bool:
    return isinstance(field, AutoField)


def _child_relations(model: type[Model]) -> list[Any]:
    if not issubclass(model, ClusterableModel):
        return []
    hidden = tagged_models(model)
    return [each for each in get_all_child_relations(model) if each.related_model not in hidden]


def _models_below(root: type[Model]) -> list[type[Model]]:
    found: dict[type[Model], None] = {root: None}
    waiting = [root]
    while waiting:
        for relation in _child_relations(waiting.pop()):
            child = relation.related_model
            for each in (child, *reversed(kinds(child))):
                if each not in found:
                    found[each] = None
                    waiting.append(each)
    return list(found)


def _names(models: list[type[Model]]) -> dict[type[Model], str]:
    plain = [model.__name__ for model in models]
    return {
        model: model.__name__
        if plain.count(model.__name__) == 1
        else model._meta.app_label.title() + model.__name__
        for model in models
    }


def _node(
    model: type[Model],
    names: Mapping[type[Model], str],
    orders: Collection[tuple[type[Model], str]],
) -> NodeSpec:
    """Return the node type of a model; `orders` are the children with an order, and its field."""
    relations: dict[str, RelationSpec] = {}
    for relation in _child_relations(model):
        name = relation.get_accessor_name()
        child = relation.related_model
        order = order_field(child, relation.field.name)
        relations[name] = RelationSpec(
            name=name,
            child=names[child],
            parent_field=relation.field.name,
            order_field=order,
            first_number=0 if order == ORDER_COLUMN else 1,
        )
    keys = [field for field in stored_fields(model) if _is_parental(field, names)]
    # What numbers siblings is a field of the relation's child, whatever a kind's own are called.
    ordered = {order for child, order in orders if issubclass(model, child)}
    # Children name their parent by it: those that nobody has loaded would lose theirs.
    referred = {relation.field.target_field.name for relation in _child_relations(model)}
    return NodeSpec(
        name=names[model],
        label=model._meta.label,
        fields={
            field.name: _field(
                field, names, is_order=field.name in ordered, is_fixed=field.name in referred
            )
            for field in stored_fields(model)
            if field not in keys or len(keys) > 1
        },
        relations=relations,
        sets={
            field.name: _set(field) for field in model._meta.many_to_many if can_be_staged(field)
        },
        bases=tuple(name for each, name in names.items() if model in kinds(each)),
    )


def _set(field: Any) -> SetSpec:
    columns = row_columns(field)
    return SetSpec(
        name=field.name,
        target=None if is_tags(field) else field.related_model._meta.label,
        ignores_case=ignores_case(field),
        fields={column.name: _field(column, {}) for column in columns},
        is_bare=all(is_filled(column) for column in columns),
    )


def _is_parental(field: AnyField, names: Mapping[type[Model], str]) -> bool:
    """Tell whether a field is the parental key of a relation within this cluster."""
    return isinstance(field, ParentalKey) and any(
        issubclass(model, field.related_model) for model in names
    )


def _field(
    field: AnyField,
    names: Mapping[type[Model], str],
    *,
    is_order: bool = False,
    is_fixed: bool = False,
) -> FieldSpec:
    target = field.related_model if isinstance(field, ForeignKey) else None
    return FieldSpec(
        name=field.name,
        nullable=can_be_null(field),
        read_only=is_order or not field.editable or bool(getattr(field, "generated", False)),
        fixed=field.primary_key or is_fixed,
        target=target._meta.label if isinstance(target, type) else None,
        nodes=_nodes_within(field, names),
        holds_pk=not isinstance(field, ForeignKey) or field.target_field.primary_key,
        parental=_is_parental(field, names),
    )


def _nodes_within(field: AnyField, names: Mapping[type[Model], str]) -> frozenset[str]:
    """Return the node types that a foreign key of this cluster can refer to, as Django has it."""
    if not isinstance(field, ForeignKey) or field.primary_key:
        return frozenset()
    target: Any = field.remote_field.model._meta.concrete_model
    return frozenset(name for model, name in names.items() if issubclass(model, target))
