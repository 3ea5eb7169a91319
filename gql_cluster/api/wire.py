"""Scalars that neither Strawberry nor strawberry-django has, or has strictly enough."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from typing import NewType

import strawberry
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY

BigInt = NewType("BigInt", int)
Bytes = NewType("Bytes", bytes)

_EXACT = 2**53
"""JavaScript's numbers are exact below this."""


def exact(value: int) -> int | str:
    """Return a whole number so that no client reads another one: a text where it is large."""
    return value if -_EXACT < value < _EXACT else str(value)


def _whole(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"not a whole number: {value!r}"[:80])


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"not Base64: {value!r}"[:80]) from exc


def _duration(value: object) -> dt.timedelta:
    parsed = parse_duration(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError(f"not a duration as in ISO 8601, such as P1DT2H3M4S: {value!r}")
    return parsed


# Where Strawberry and strawberry-django look scalars up, and where the latter puts its own.
for _type, _scalar in {
    BigInt: strawberry.scalar(
        name="BigInt",
        description=(
            "A whole number of up to 64 bits. A JSON number where JavaScript has it exactly "
            "(less than 2^53 from zero), else a string of its digits; inputs take both."
        ),
        serialize=exact,
        parse_value=_whole,
    ),
    Bytes: strawberry.scalar(
        name="Bytes",
        description="Binary data in Base64.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc4648.html#section-4",
        serialize=lambda value: base64.b64encode(value).decode(),
        parse_value=_bytes,
    ),
    dt.timedelta: strawberry.scalar(
        name="Duration",
        description="A duration as in ISO 8601, such as P0DT00H02M42S.",
        specified_by_url="https://www.iso.org/iso-8601-date-and-time-format.html",
        serialize=duration_iso_string,
        parse_value=_duration,
    ),
}.items():
    DEFAULT_SCALAR_REGISTRY.setdefault(_type, _scalar)
