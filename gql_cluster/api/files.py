"""Files as clients see them: what a storage says of a name, as far as it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from django.core.exceptions import SuspiciousFileOperation
from strawberry_django.resolvers import django_resolver

from gql_cluster.api.wire import BigInt

# What reads a storage is a `django_resolver`: it may take its time, and not that of the event loop.
T = TypeVar("T")

# What storages raise for files that are not there, and for what they have no notion of.
_UNKNOWN = (NotImplementedError, OSError, SuspiciousFileOperation, ValueError)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except _UNKNOWN:
        return None


@strawberry.type(
    description=(
        "A file that a field names. The name is what inputs take; what the storage does not know "
        "of it is null, as all but the name is where no such file is stored."
    )
)
class StoredFile:
    """A `FieldFile` stands behind it."""

    @strawberry.field(description="Its name in the storage, by which inputs refer to it.")
    def name(self: Any) -> str:
        """Return the stored name."""
        return str(self.name)

    @strawberry.field(description="Where a browser gets it.")
    def url(self: Any) -> str | None:
        """Return the address."""
        return _known(lambda: str(self.url))

    @strawberry.field(description="How many bytes it has.")
    @django_resolver
    def size(self: Any) -> BigInt | None:
        """Ask the storage for the size."""
        return _known(lambda: BigInt(self.size))


@strawberry.type(description="An image that a field names; else as `StoredFile`.")
class StoredImage(StoredFile):
    """An `ImageFieldFile` stands behind it."""

    @strawberry.field(description="How many pixels it is wide.")
    @django_resolver
    def width(self: Any) -> int | None:
        """Read the image's head."""
        return _known(lambda: int(self.width))

    @strawberry.field(description="How many pixels it is high.")
    @django_resolver
    def height(self: Any) -> int | None:
        """Read the image's head."""
        return _known(lambda: int(self.height))
