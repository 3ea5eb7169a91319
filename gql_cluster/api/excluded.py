"""What a copy leaves out, as clients name it: `origin`, `members`, `albums.songs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gql_cluster.domain.error import ErrorCode, InvalidChangeError, Problem
from gql_cluster.domain.spec import ClusterSpec, NodeSpec


def to_paths(
    spec: ClusterSpec, names: Sequence[str], spell: Callable[[str], str]
) -> list[tuple[str, ...]]:
    """Return each name as the model's relations and the field that they lead to.

    `spell` gives the schema's spelling of a model's name; both are taken. Raises
    `InvalidChangeError` with every name that is unknown.
    """
    found = [_path(spec, name, spell) for name in names]
    unknown = [name for name, path in zip(names, found, strict=True) if path is None]
    if unknown:
        raise InvalidChangeError(
            *(
                Problem(
                    code=ErrorCode.INVALID_CHANGE,
                    message=f"{spec.root} has nothing called “{name[:64]}” to leave out.",
                    field=name[:64],
                )
                for name in unknown
            )
        )
    return [path for path in found if path is not None]


def _path(spec: ClusterSpec, text: str, spell: Callable[[str], str]) -> tuple[str, ...] | None:
    """Return where a name leads; a child may have it that is of one kind of its relation's."""
    nodes: list[NodeSpec] = [spec.nodes[spec.root]]
    path: list[str] = []
    for step in text.split("."):  # below a field there are no nodes
        names = (name for node in nodes for name in (*node.relations, *node.sets, *node.fields))
        name = next((each for each in names if step in (each, spell(each))), None)
        if name is None:
            return None
        path.append(name)
        relations = [node.relations[name] for node in nodes if name in node.relations]
        kinds = {kind: None for each in relations for kind in spec.kinds(each.child)}
        nodes = [spec.nodes[kind] for kind in kinds]
    return tuple(path)
