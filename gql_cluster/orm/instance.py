"""Model instances of a draft's nodes: the model's own methods see the draft around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol, TypeAlias

from django.db import router
from django.db.models import DEFERRED, Field, ForeignKey, Model, QuerySet
from django.db.models.signals import pre_init
from modelcluster.models import ClusterableModel

from gql_cluster.domain.node import Json, Node, Values
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.reference import key_in
from gql_cluster.domain.spec import RelationSpec
from gql_cluster.domain.tree import Tree
from gql_cluster.orm.codec import decode, decoder, encode, is_coded, pk_field
from gql_cluster.orm.describe import AnyField, Cluster, has_default, is_text
from gql_cluster.orm.given import is_made_anew
from gql_cluster.orm.sets import Members, members_of

_BOUND = "_gql_cluster_bound"


class Around(Protocol):
    """What the instance of a node finds around it."""

    def related(self, node: Node, name: str) -> list[Model]:
        """Return the instances of a child relation or a many-to-many set of a node."""

    def referred(self, node: Node, name: str) -> Model | None:
        """Return the instance of the node that a foreign key refers to; None for none here."""


class Family(Around, Protocol):
    """A draft as instances: what knows the nodes around a node."""

    @property
    def cluster(self) -> Cluster:
        """The cluster's description."""

    @property
    def snapshot(self) -> Tree:
        """The nodes themselves."""

    def base_of(self, plan: Plan, saved: Node) -> Node | None:
        """Return what a saved node was in the base, None where it was not in it."""

    def children(self, parent: str, relation: str) -> Sequence[Node]:
        """Return the children of a relation, in order."""

    def relation_of(self, node: Node) -> RelationSpec | None:
        """Return the relation that a node is in; None for the root."""

    def parent(self, node: Node) -> Model | None:
        """Return the instance of the node above, None above the root."""

    def instance(self, node: Node) -> Model:
        """Return the instance of a node, the same one each time."""

    def adopt(self, node: Node, instance: Model) -> None:
        """Let an instance made elsewhere stand for a node from now on."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What an instance of a draft belongs to."""

    family: Family
    node: Node


def bound(instance: object) -> Bound | None:
    """Tell which draft and node an instance was made of; None for a saved object."""
    return getattr(instance, "__dict__", {}).get(_BOUND)


class _Related(dict[str, list[Model]]):
    """The deferred relations of modelcluster, each filled when it is first read."""

    def __init__(self, names: AbstractSet[str], read: Callable[[str], list[Model]]) -> None:
        super().__init__()
        self._read = read
        self._names = names

    def __missing__(self, name: str) -> list[Model]:
        if name not in self._names:
            raise KeyError(name)
        self[name] = self._read(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names


class _Prefetched(dict[str, "QuerySet[Any]"]):
    """What Django takes for prefetched: plain many-to-many fields, each filled when first read."""

    def __init__(self, sets: Mapping[str, Members], read: Callable[[str], list[Model]]) -> None:
        super().__init__()
        self._read = read
        self._sets = sets

    def __missing__(self, name: str) -> QuerySet[Any]:
        self[name] = self._sets[name].queryset(self._read(name))
        return self[name]


class _Referred(dict[str, Any]):
    """What Django keeps of foreign keys: nodes of the draft, each found when it is first read."""

    def __init__(
        self, known: Mapping[str, Any], read: Mapping[str, Callable[[], Model | None]]
    ) -> None:
        super().__init__({name: found for name, found in known.items() if name not in read})
        self._read = read

    def __missing__(self, name: str) -> Model:
        found = self._read[name]() if name in self._read else None
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name) or name not in self._read:
            return super().__contains__(name)
        found = self._read[str(name)]()
        return found is not None

    def __delitem__(self, name: str) -> None:
        self.pop(name, None)


def make_instance(
    cluster: Cluster,
    node: Node,
    family: Family,
    *,
    parent: tuple[str, Model] | None,
    number: tuple[str, int] | None = None,
) -> Model:
    """Return a node as an instance of its model, without a query.

    `parent` is the name of the parental key and the instance above. `number` is the order
    field and what it holds, where the order of the draft decides that (see
    `domain.positions`). What is read of its child relations and sets comes from the draft.
    """
    model = cluster.models[node.type]
    spec = cluster.spec.nodes[node.type]
    plan = plan_of(model, tuple(spec.fields))
    fields = node.fields
    if not spec.fields.keys() <= fields.keys():
        fields = {**_defaults(model, tuple(spec.fields)), **fields}
    values = {
        attname: value
        for name, attname, read in plan.readers
        if (value := read(fields.get(name))) is not DEFERRED
    }
    if number is not None:
        values[number[0]] = number[1]
    if node.pk is not None:
        values.update(dict.fromkeys(plan.pk_attnames, decode(plan.pk, node.pk)))
    instance = _construct(model, values, is_new=node.pk is None)
    if parent is not None:
        setattr(instance, *parent)
    attach(instance, cluster, node, family)
    return instance


@cache
def _defaults(model: type[Model], names: tuple[str, ...]) -> Values:
    """Return what a node holds in fields that the model did not have when the node was stored."""
    fields = ((name, model._meta.get_field(name)) for name in names)
    return {
        name: encode(field, field.get_default())
        for name, field in fields
        if isinstance(field, Field) and has_default(field) and not is_made_anew(field)
    }


def set_values(instance: Model, values: Values) -> None:
    """Give fields of an instance what a node holds."""
    plan = plan_of(type(instance), tuple(values))
    for name, attname, read in plan.readers:
        value = read(values[name])
        if value is not DEFERRED:
            setattr(instance, attname, value)


def attach(
    instance: Model, cluster: Cluster, node: Node, family: Family, around: Around | None = None
) -> None:
    """Let an instance stand for a node: what is around it is the draft's, or what `around` has."""
    around = around or family
    spec = cluster.spec.nodes[node.type]
    instance.__dict__[_BOUND] = Bound(family, node)
    _refer(instance, cluster, node, around)
    if spec.sets or spec.relations or isinstance(instance, ClusterableModel):
        read = partial(around.related, node)
        plain = _plain(type(instance), tuple(spec.sets))
        if plain:
            instance.__dict__["_prefetched_objects_cache"] = _Prefetched(plain, read)
        names = _deferred(type(instance), tuple(spec.relations), tuple(spec.sets))
        if names or isinstance(instance, ClusterableModel):
            # modelcluster's own sets defer on plain models, too.
            instance.__dict__["_cluster_related_objects"] = _Related(names, read)


def is_bare(cluster: Cluster, type_name: str) -> bool:
    """Tell whether instances of a node type find nothing around them but what is above."""
    spec = cluster.spec.nodes[type_name]
    is_clusterable = issubclass(cluster.models[type_name], ClusterableModel)
    return not (spec.relations or spec.sets or spec.refers or is_clusterable)


def _refer(instance: Any, cluster: Cluster, node: Node, around: Around) -> None:
    """Let the foreign keys of an instance lead to nodes, as long as it holds what its node does."""
    spec = cluster.spec.nodes[node.type]
    held = [name for name in spec.refers if node.fields.get(name) is not None]
    known = instance._state.fields_cache
    if not held and not isinstance(known, _Referred):
        return

    def read(name: str, attname: str, value: Any) -> Model | None:
        return around.referred(node, name) if getattr(instance, attname) == value else None

    model: Any = type(instance)
    found = {
        model._meta.get_field(name).cache_name: partial(
            read, name, attname, decoded(node.fields[name])
        )
        for name, attname, decoded in plan_of(model, tuple(held)).readers
    }
    instance._state.fields_cache = _Referred(known, found)


def unsaved_target(instance: Any, field: AnyField) -> Model | None:
    """Return what a foreign key refers to that has no value to be held as yet, None for none."""
    if not isinstance(field, ForeignKey) or getattr(instance, field.attname) is not None:
        return None
    return field.get_cached_value(instance, default=None)


def detach(instance: Model) -> None:
    """Let an instance's relations be read from the database again."""
    instance.__dict__.pop(_BOUND, None)
    if isinstance(instance._state.fields_cache, _Referred):
        instance._state.fields_cache = dict(instance._state.fields_cache)
    instance.__dict__.pop("_cluster_related_objects", None)
    instance.__dict__.pop("_prefetched_objects_cache", None)


def _construct(model: type[Model], given: dict[str, Any], *, is_new: bool) -> Model:
    using = router.db_for_read(model)
    if is_new:
        instance = _new(model, given)
        instance._state.db = using
        return instance
    names = [field.attname for field in model._meta.concrete_fields if field.attname in given]
    return model.from_db(using, names, [given[name] for name in names])


def _new(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Return a new instance; by place, which is quicker, where no code of the model's looks."""
    columns = _columns(model)
    is_seen = model.__init__ is not Model.__init__ or pre_init.has_listeners(model)
    if is_seen or not given.keys() <= columns.keys():
        return model(**given)
    return model(
        *[given[name] if name in given else default() for name, default in columns.items()]
    )


@cache
def _columns(model: type[Model]) -> Mapping[str, Callable[[], Any]]:
    """Return what each column of a new instance holds unless it is given."""
    fields: Sequence[Any] = model._meta.concrete_fields
    return {
        field.attname: (lambda: DEFERRED) if field.generated else field.get_default
        for field in fields
    }


@cache
def _plain(model: type[Model], sets: tuple[str, ...]) -> Mapping[str, Members]:
    """Return the sets that modelcluster does not defer: plain many-to-many fields."""
    found = {name: members_of(model, name) for name in sets}
    return {name: members for name, members in found.items() if members.accessor is None}


@cache
def _deferred(
    model: type[Model], relations: tuple[str, ...], sets: tuple[str, ...]
) -> frozenset[str]:
    """Return the names under which modelcluster defers relations of a model."""
    accessors = (members_of(model, name).accessor for name in sets)
    return frozenset({*relations, *(name for name in accessors if name is not None)})


Reader: TypeAlias = Callable[[Json], Any]
"""Makes a field's value of what a node holds."""


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """How the values of a model's instances are made of a node's: by name and attribute."""

    readers: tuple[tuple[str, str, Reader], ...]
    pk: AnyField
    pk_attnames: tuple[str, ...]


@cache
def plan_of(model: type[Model], names: tuple[str, ...]) -> InstancePlan:
    """Return how to make some fields of a model's instances."""
    fields: dict[str, Any] = {name: model._meta.get_field(name) for name in names}
    return InstancePlan(
        readers=tuple((name, field.attname, _reader(field)) for name, field in fields.items()),
        pk=pk_field(model),
        pk_attnames=tuple(_pk_attnames(model)),
    )


def _pk_attnames(model: type[Model]) -> list[str]:
    return [each._meta.pk.attname for each in (model, *model._meta.all_parents)]


def _reader(field: AnyField) -> Reader:
    empty: Any = None
    if not field.null and field.has_db_default():
        # Left out, so that the database's own default is taken at save.
        empty = DEFERRED
    elif not field.null and field.empty_strings_allowed and _holds_text(field):
        empty = ""
    if isinstance(field, ForeignKey):
        to_value = decoder(field)
        return lambda value: _foreign_value(to_value, value, empty)
    if is_text(field) and not is_coded(field):
        return lambda value: empty if value is None else value
    read = decoder(field)
    return lambda value: empty if value is None else read(value)


def _foreign_value(read: Reader, value: Json, empty: Any) -> Any:
    """Return what a foreign key holds; one that refers by a key holds nothing as yet."""
    if key_in(value) is not None:
        return None
    return empty if value is None else read(value)


def _holds_text(field: AnyField) -> bool:
    return not isinstance(field, ForeignKey) and field.get_internal_type() in {
        "CharField",
        "TextField",
        "SlugField",
        "FileField",
        "FilePathField",
    }
