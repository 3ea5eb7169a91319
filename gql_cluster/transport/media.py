"""Which media type a response has: what `Accept` asks for (RFC 9110, section 12.5.1).

Django's `get_preferred_type` knows neither a range that is excluded (`q=0`) beside a wider one
nor that `charset=utf-8` is what JSON has anyway.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from http import HTTPStatus

from django.http.request import MediaType as Range

from gql_cluster.transport.refusal import Refusal

_LONGEST = 2000
"""Browsers send some 150 characters; to read what fits into a head takes a third of a second."""


class MediaType(Enum):
    """The media types of responses; of those that are as welcome, the first is taken."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENTS = "text/event-stream"

    @property
    def content_type(self) -> str:
        """The header's value."""
        return f"{self.value}; charset=utf-8"


@lru_cache(maxsize=256)
def negotiated(accept: str | None) -> MediaType:
    """Return the media type that the client likes best.

    Raises `Refusal` (406) where it takes none of ours.
    """
    if accept is None or not accept.strip():
        return MediaType.JSON
    if len(accept) > _LONGEST:
        raise Refusal(HTTPStatus.NOT_ACCEPTABLE, f"Accept may have {_LONGEST} characters at most.")
    ranges = [Range(each) for each in accept.split(",") if each.strip()]
    wanted = {media: _wanted(media, ranges) for media in MediaType}
    best = max(wanted, key=wanted.__getitem__)
    if not wanted[best][0]:
        types = ", ".join(media.value for media in MediaType)
        raise Refusal(HTTPStatus.NOT_ACCEPTABLE, f"Responses are of one of these types: {types}.")
    return best


def _wanted(media: MediaType, ranges: list[Range]) -> tuple[float, int]:
    """Return how welcome a type is, and, between equals, how early it is named.

    The most specific range that it is in decides.
    """
    main, sub = media.value.split("/")
    precisions = {(main, sub): 3, (main, "*"): 2, ("*", "*"): 1}
    found = (0, 0.0, 0)
    for place, each in enumerate(ranges):
        precision = precisions.get((each.main_type, each.sub_type), 0)
        if precision > found[0] and _is_utf8(each):
            found = (precision, each.quality, -place)
    return found[1:]


def _is_utf8(each: Range) -> bool:
    return str(each.params.get("charset", "utf-8")).lower() in {"utf-8", "utf8"}
