"""Wrong set-ups that show when a schema is made, told as the system checks tell the others."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError


class SetupError(ImproperlyConfigured, CommandError):
    """A wrong set-up with a number and a hint.

    A `CommandError`, too, so that `manage.py` prints it like a check, without a traceback.
    """

    def __init__(self, number: str, message: str, *, hint: str) -> None:
        """`number` is such as `E005`; `hint` says what to do."""
        self.id = f"gql_cluster.{number}"
        super().__init__(f"({self.id}) {message}\n\tHINT: {hint}")
