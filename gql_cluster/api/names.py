"""Names of inputs: of the types of every node type, and of the engine's own members in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import strawberry
from django.db.models import Model

from gql_cluster.api.choices import pascal_case
from gql_cluster.domain.spec import ClusterSpec, FieldSpec, NodeSpec
from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import Cluster


def writable(spec: NodeSpec, *, is_new: bool) -> list[FieldSpec]:
    """Return the fields that a client may set; some only while the node is added."""
    return [
        field
        for field in spec.fields.values()
        if not field.read_only and (is_new or not field.fixed)
    ]


def own_name(spec: NodeSpec, name: str) -> str:
    """Return the name of a member that is the engine's: `key`, `position`, `set`, `<set>_with`.

    It is `node_key` and so on where clients can set something of the model that has the name.
    """
    taken = {field.name for field in writable(spec, is_new=True)}
    return f"node_{name}" if name in {*taken, *spec.relations, *spec.sets} else name


def kind_members(spec: ClusterSpec, type_name: str) -> dict[str, str]:
    """Return the node types that children of a node type may be, by the inputs' member for each.

    Empty where there is but one.
    """
    kinds = spec.kinds(type_name)
    found = {singular(kind): kind for kind in kinds}
    for kind in kinds:
        if found[singular(kind)] != kind:
            raise SetupError(
                "E009",
                f"The kinds {kind} and {found[singular(kind)]} of {type_name} would both be the "
                f"member {singular(kind)} of its inputs.",
                hint="Give one of the models another name; `db_table` keeps its table as it is.",
            )
    return found if len(kinds) > 1 else {}


def own_name_of(name: str) -> str:
    """Return what the type, and inputs, of a model's own rows are called beside its kinds'."""
    return f"Plain{name}"


def singular(name: str) -> str:
    """Return a type's name as the name of a field, in snake case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def require_distinct_fields(schema: strawberry.Schema) -> None:
    """Raise `SetupError` where two fields of one type are spelled alike: one would hide the other.

    So are `line_1` and `line1`.
    """
    spell = schema.config.name_converter.get_graphql_name
    for type_ in schema._schema.type_map.values():  # noqa: SLF001 - as it is built
        definition = type_.extensions.get("strawberry-definition")
        found: dict[str, str] = {}
        for field in getattr(definition, "fields", ()):
            other = found.setdefault(spell(field), field.python_name)
            if other != field.python_name:
                raise SetupError(
                    "E015",
                    f"“{other}” and “{field.python_name}” of {type_.name} would both be the "
                    f"field {spell(field)}.",
                    hint="Rename one of them; `db_column` keeps its column as it is.",
                )


def key_name(spec: NodeSpec, field: FieldSpec) -> str | None:
    """Return the member by which a foreign key is given the key of a node, `cover_of_key`.

    It is `cover_of_node_key` where clients can set something of the model that has the name;
    None for what refers to no node of the draft.
    """
    if not field.nodes:
        return None
    taken = {each.name for each in writable(spec, is_new=True)}
    taken |= {own_name(spec, each) for each in ("key", "position")}
    name = f"{field.name}_key"
    return f"{field.name}_node_key" if name in {*taken, *spec.relations, *spec.sets} else name


class InputNames:
    """Names the input types of some clusters: no two alike, and the same in any order."""

    def __init__(
        self, clusters: Mapping[str, Cluster], name_of: Callable[[type[Model]], str]
    ) -> None:
        """`name_of` gives the name of a model's mirror type."""
        self._clusters = clusters
        self._name_of = name_of
        self._nodes = {
            self.node(cluster, each) for cluster in clusters.values() for each in cluster.models
        }

    def node(self, cluster: Cluster, type_name: str) -> str:
        """Return what the inputs of a node type are called after: its mirror type.

        The root's type comes before it where another cluster has another idea of that model.
        """
        model = cluster.models[type_name]
        plain = self._name_of(model)
        if type_name == cluster.name or all(
            _below(cluster.spec, type_name) == _below(other.spec, name)
            for other in self._clusters.values()
            for name, each in other.models.items()
            if self._name_of(each) == plain
        ):
            return plain
        return self._name_of(cluster.model) + plain

    def own(self, cluster: Cluster, type_name: str) -> str:
        """Return what the inputs of a node type's own nodes are called after, other kinds apart."""
        name = self.node(cluster, type_name)
        has_kinds = kind_members(cluster.spec, type_name)
        return own_name_of(name) if has_kinds and not self._is_root(cluster, type_name) else name

    def family(self, cluster: Cluster, type_name: str) -> str:
        """Return what the inputs of the nodes of a type, of whatever kind, are called after."""
        name = self.node(cluster, type_name)
        is_taken = self._is_root(cluster, type_name) and name == self._name_of(
            cluster.models[type_name]
        )
        return f"{self._name_of(cluster.model)}{name}" if is_taken else name

    def _is_root(self, cluster: Cluster, type_name: str) -> bool:
        model = cluster.models[type_name]
        return any(other.model is model for other in self._clusters.values())

    def relation_change(self, parent: str, relation: str) -> str:
        """Return the name of the change of a child relation, `BandMembersChange`."""
        return self._free(parent + pascal_case(relation), "Relation")

    def set_change(self, name: str) -> str:
        """Return the name of the change of a many-to-many, `GenresChange`; all are alike."""
        return self._free(pascal_case(name), "Set")

    def of_rows(self, parent: str, name: str, what: str) -> str:
        """Return the name of an input of a many-to-many of whose rows something can be given."""
        base = parent + pascal_case(name)
        return f"{base}Set{what}" if base in self._nodes else f"{base}{what}"

    def tags_change(self) -> str:
        """Return the name of the change of tags, which is the same for all."""
        return self._free("TagNames", "Set")

    def _free(self, base: str, what: str) -> str:
        return f"{base}{what}Change" if base in self._nodes else f"{base}Change"


def _below(spec: ClusterSpec, type_name: str) -> dict[str, NodeSpec]:
    """Return a node type and every one below it."""
    found: dict[str, NodeSpec] = {}
    waiting = [type_name]
    while waiting:
        node = spec.nodes[waiting.pop()]
        if node.label not in found:
            found[node.label] = node
            for relation in node.relations.values():
                waiting += spec.kinds(relation.child)
    return found
