"""What the tests of operating build on."""

from __future__ import annotations

import asyncio
from io import StringIO

from django.core.management import call_command
from strawberry.relay.utils import from_base64


async def drafts(*arguments: str) -> str:
    """Return what `manage.py drafts` prints; it runs in a thread, as in a process of its own."""
    out = StringIO()
    await asyncio.to_thread(call_command, "drafts", *arguments, stdout=out)
    return out.getvalue()


def raw(draft: str) -> str:
    """Return the id of a draft as the store has it."""
    return from_base64(draft)[1]
