"""Who may do what: one class, which a project may replace by its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.db.models import Model

from gql_cluster.domain.error import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a caller wants to do something with: a cluster, and the draft of it, if there is one.

    `model` is the root's, `pk` its primary key as the model has it, None for a new cluster.
    `owner` is the session that has opened the draft.
    """

    model: type[Model]
    pk: Any = None
    draft_id: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a commit is going to do to rows of a model: `add`, `change` or `delete` some."""

    model: type[Model]
    action: str

    @property
    def permission(self) -> str:
        """The name of Django's permission for it, such as `bands.change_band`."""
        meta = self.model._meta
        return f"{meta.app_label}.{get_permission_codename(self.action, meta)}"


class Policy:
    """Decides who may do what; asked for each request, and for each event before it is told.

    Each method is asked besides what always holds: a draft is seen by the session that opened it
    and by those that it was shared with, and only its owner may share, discard or unshare it.
    A subclass that `GQL_CLUSTER["POLICY"]` names replaces it.
    """

    def __init__(self, *, anonymous_editing: bool) -> None:
        """Take the setting `ANONYMOUS_EDITING`."""
        self.anonymous_editing = anonymous_editing

    async def may_start(self, caller: Caller) -> bool:
        """Tell whether a session may be started: by a user, or `ANONYMOUS_EDITING` is on."""
        return self.anonymous_editing or await caller.user() is not None

    async def may_open(self, caller: Caller, subject: Subject) -> bool:
        """Tell whether a draft may be opened; `subject` has none yet. As `may_start`."""
        del subject
        return self.anonymous_editing or await caller.user() is not None

    async def may_see(self, caller: Caller, subject: Subject) -> bool:
        """Tell whether a draft may be read, watched and joined. As `may_start`."""
        del subject
        return self.anonymous_editing or await caller.user() is not None

    async def may_edit(self, caller: Caller, subject: Subject) -> bool:
        """Tell whether a draft that may be seen may be changed, rebased or discarded: yes."""
        del caller, subject
        return True

    async def may_share(self, caller: Caller, subject: Subject) -> bool:
        """Tell whether a draft that may be seen may be shared by its owner: yes."""
        del caller, subject
        return True

    async def may_commit(self, caller: Caller, subject: Subject, saving: Iterable[Saving]) -> bool:
        """Tell whether a draft may be saved: with Django's permission for all that is saved.

        That is `change` of the root's model, or `add` where it is new, and `add`, `change` or
        `delete` of each child's model of which rows are saved. With `ANONYMOUS_EDITING`: yes.
        """
        del subject
        if self.anonymous_editing:
            return True
        user = await caller.user()
        if user is None:
            return False
        has_permissions = getattr(user, "ahas_perms", None)  # a user model may have none
        needed = [each.permission for each in saving]
        return has_permissions is not None and bool(await has_permissions(needed))


async def require(caller: Caller, *, allowed: bool) -> None:
    """Raise `UnauthenticatedError` or `ForbiddenError` unless it is allowed."""
    if allowed:
        return
    if await caller.user() is None:
        raise UnauthenticatedError.of("This needs a user: log in.")
    raise ForbiddenError.of("You may not do that.")
