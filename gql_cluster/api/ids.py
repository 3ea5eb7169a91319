"""Global ids: of a saved object, of a draft, and of a node of a draft; never the same."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import TypeAlias

from strawberry.relay import to_base64

_SUFFIX = "Draft"
# As they are made; what else a client may say has no place in a log, or in a name in Redis.
_DRAFT = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedId:
    """The id of a saved object: `Band:<pk>`."""

    type: str
    pk: str

    def __str__(self) -> str:
        """Return the id as clients see it."""
        return to_base64(self.type, self.pk)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftId:
    """The id of a draft: `BandDraft:<draft>`; `cluster` is its title."""

    cluster: str
    draft: str

    def __str__(self) -> str:
        """Return the id as clients see it."""
        return to_base64(draft_type(self.cluster), self.draft)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeId:
    """The id of a node of a draft: `BandDraft:<draft>/<key>`."""

    cluster: str
    draft: str
    key: str

    def __str__(self) -> str:
        """Return the id as clients see it."""
        return to_base64(draft_type(self.cluster), local_id(self.draft, self.key))


GlobalId: TypeAlias = SavedId | DraftId | NodeId


def draft_type(cluster: str) -> str:
    """Return the name of the type of a cluster's drafts; `cluster` is its title."""
    return cluster + _SUFFIX


def local_id(draft: str, key: str) -> str:
    """Return what the id of a draft's node holds behind the type name."""
    return f"{draft}/{key}"


def parse(text: str, clusters: Container[str]) -> GlobalId | None:
    """Return what an id that a client sent is of, None where it can't be an id.

    `clusters` holds the titles: a model may well be called `NovelDraft` itself.
    """
    try:
        raw = base64.b64decode(text, validate=True)
        decoded = raw.decode()
    except (binascii.Error, ValueError):
        return None
    if base64.b64encode(raw).decode() != text:
        return None  # one spelling an id: clients compare them
    type_name, _, local = decoded.partition(":")
    if not type_name.isidentifier() or not local:
        return None
    cluster = type_name.removesuffix(_SUFFIX)
    if cluster == type_name or cluster not in clusters:
        return SavedId(type=type_name, pk=local)
    draft, slash, key = local.partition("/")
    if not _DRAFT.fullmatch(draft) or (slash and not key):
        return None
    return (
        NodeId(cluster=cluster, draft=draft, key=key)
        if key
        else DraftId(cluster=cluster, draft=draft)
    )
