"""What the foreign keys of a draft's nodes refer to: other nodes of it, by key or primary key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from gql_cluster.domain.copy import NotLoadedError
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.reference import key_in
from gql_cluster.domain.spec import ROOT_KEY, FieldSpec, RelationSpec
from gql_cluster.domain.tree import is_alive
from gql_cluster.orm.load import node_key

if TYPE_CHECKING:
    from gql_cluster.domain.node import Json, Node
    from gql_cluster.service.view import View


class Targets:
    """The nodes of one view that foreign keys refer to.

    `saved` are the primary keys that closing the draft has given, by key: its nodes are without.
    """

    def __init__(self, view: View) -> None:
        """Know nothing yet."""
        self._view = view
        self._spec = view.cluster.spec
        self._kin: dict[tuple[str, str], Mapping[str, list[Node]]] = {}
        self._renamed: Mapping[tuple[str, Json], str] | None = None

    async def load(self, nodes: Iterable[Node]) -> None:
        """See to it that `of` can tell what foreign keys of some nodes refer to."""
        held = [
            (field, value)
            for node in (nodes if self._named_fields else ())
            for name, field in self._named_fields.get(node.type, ())
            if (value := node.fields.get(name)) is not None
        ]
        if not held:
            return
        await self._view.load_lines(key for each in held for key in self._candidates(*each))
        if self._renamed is None and any(self._may_be_renamed(*each) for each in held):
            # Not under the key that its primary key tells: then only all of them tell.
            self._renamed = {
                (node.type, node.pk): node.key
                for node in await self._view.load_all()
                if node.pk is not None
            }

    def of(self, node: Node, name: str) -> Node | None:
        """Return the node of this draft that a foreign key refers to, None where it is none.

        It is named by its key or by its primary key, and has to be alive. Raises
        `NotLoadedError`.
        """
        field, value = self._spec.nodes[node.type].fields[name], node.fields.get(name)
        node_of = self._view.snapshot.node
        found = self._named(field, value)
        if found is None and self._may_be_renamed(field, value):
            if self._renamed is None:
                raise NotLoadedError(name)
            keys = (self._renamed.get((type_name, value)) for type_name in field.nodes)
            found = next((node_of(key) for key in keys if key is not None), None)
        return found if found is not None and is_alive(node_of, found) else None

    # Nodes of other relations that refer to a parent by the same parental key

    def knows_kin(self, relation: RelationSpec) -> bool:
        """Tell whether `kin` can tell, or there is none."""
        return not self._spec.is_shared(relation) or _place(relation) in self._kin

    async def load_kin(self, relation: RelationSpec) -> None:
        """See to it that `kin` can tell what is in other relations."""
        if self.knows_kin(relation):
            return
        nodes = [
            each
            for each in await self._view.load_all()
            if self._spec.is_kind(each.type, relation.child)
            and relation.parent_field in each.fields
        ]
        await self.load(nodes)
        kin: dict[str, list[Node]] = defaultdict(list)
        for each in nodes:
            if (target := self.of(each, relation.parent_field)) is not None:
                kin[target.key].append(each)
        self._kin[_place(relation)] = kin

    def kin(self, parent: str, relation: RelationSpec) -> Sequence[Node]:
        """Return the nodes of other relations that a list holds behind its relation's own."""
        return self._kin.get(_place(relation), {}).get(parent, ())

    def _candidates(self, field: FieldSpec, value: Json) -> Iterator[str]:
        """Yield the keys that the node may have which a foreign key refers to."""
        key = key_in(value)
        if key is not None:
            yield key
        elif value is not None and field.holds_pk:
            if self._view.cluster.name in field.nodes:
                yield ROOT_KEY
            yield from (node_key(type_name, value) for type_name in sorted(field.nodes))
            yield from self._keys_of.get(value, ())

    def _named(self, field: FieldSpec, value: Json) -> Node | None:
        for key in self._candidates(field, value):
            found = self._view.snapshot.node(key)
            if found is None or found.type not in field.nodes:
                continue
            if key == key_in(value) or value in {found.pk, self.saved.get(key)}:
                return found
        return None

    @cached_property
    def saved(self) -> Mapping[str, Json]:
        """The primary keys that closing the draft has given, by key: its nodes are without."""
        is_committed = self._view.draft.state is DraftState.COMMITTED
        return self._view.snapshot.copy.saved if is_committed else {}

    @cached_property
    def _named_fields(self) -> Mapping[str, Sequence[tuple[str, FieldSpec]]]:
        """The foreign keys that may lead to nodes, by node type, of the types that have any."""
        found = {
            type_name: [(name, field) for name, field in spec.fields.items() if field.nodes]
            for type_name, spec in self._spec.nodes.items()
        }
        return {type_name: fields for type_name, fields in found.items() if fields}

    @cached_property
    def _keys_of(self) -> Mapping[Json, Sequence[str]]:
        """The keys that have these primary keys, of whatever type."""
        found: dict[Json, list[str]] = defaultdict(list)
        for key, pk in self.saved.items():
            found[pk].append(key)
        return found

    def _may_be_renamed(self, field: FieldSpec, value: Json) -> bool:
        """Tell whether only the whole draft tells of a primary key.

        A node that the draft has added keeps its key when it is saved, if the draft stays open.
        """
        is_pk = value is not None and key_in(value) is None and field.holds_pk
        was_edited = self._view.draft.version > 0 and not self._view.draft.is_new
        return bool(field.nodes) and is_pk and was_edited and self._named(field, value) is None


def _place(relation: RelationSpec) -> tuple[str, str]:
    return relation.child, relation.parent_field
