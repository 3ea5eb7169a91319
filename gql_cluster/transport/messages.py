"""The messages of clients over a WebSocket, of both protocols, by the shapes that they may have.

`graphql-transport-ws` is https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, the older
`graphql-ws` https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import msgspec

from gql_cluster.transport.parameters import MALFORMED, Parameters

Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Payload: TypeAlias = dict[str, Any] | None


class ConnectionInit(msgspec.Struct, frozen=True, tag_field="type", tag="connection_init"):
    """Says who calls, in both protocols."""

    payload: Payload = None


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """Wants a pong."""

    payload: Payload = None


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """Is a sign of life."""

    payload: Payload = None


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """Begins an operation."""

    id: Id
    payload: Parameters


class Complete(msgspec.Struct, frozen=True, tag_field="type", tag="complete"):
    """Ends one."""

    id: Id


class Start(msgspec.Struct, frozen=True, tag_field="type", tag="start"):
    """Begins an operation, in the older protocol."""

    id: Id
    payload: Parameters


class Stop(msgspec.Struct, frozen=True, tag_field="type", tag="stop"):
    """Ends one, in the older protocol."""

    id: Id


class ConnectionTerminate(
    msgspec.Struct, frozen=True, tag_field="type", tag="connection_terminate"
):
    """Ends all, in the older protocol."""


Message: TypeAlias = (
    ConnectionInit | Ping | Pong | Subscribe | Complete | Start | Stop | ConnectionTerminate
)

_decode: Final = msgspec.json.Decoder(Message).decode


class MalformedMessageError(ValueError):
    """What came is no message of either protocol."""


def decoded(text: str) -> Message:
    """Return a message. Raises `MalformedMessageError`."""
    try:
        message: Message = _decode(text)
    except MALFORMED as exc:
        raise MalformedMessageError(str(exc)) from exc
    return message
