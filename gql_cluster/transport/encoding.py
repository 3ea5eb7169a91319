"""JSON for the wire: by msgspec, which is fast, and where it refuses as Strawberry does it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gql_cluster.api.audience import SharedData

_encode = msgspec.json.Encoder().encode


def encode(message: object) -> str:
    """Return a message of the server as JSON; what several clients get is encoded once."""
    match message:
        case {"id": str(id_), "type": "next", "payload": {"data": SharedData() as data, **rest}}:
            if not rest:
                if data.text is None:
                    data.text = _text(data)
                return f'{{"id":{_text(id_)},"type":"next","payload":{{"data":{data.text}}}}}'
    return _text(message)


def _text(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        return json.dumps(value)
