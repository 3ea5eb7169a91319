"""Everybody who may ask: with a session or none, with a user or none, with permissions or none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import AsyncClient

from gql_cluster.service import session
from schema.bands.models import Band, BandMember

MODELS = ("band", "bandmember", "album", "song")
ACTORS = (
    "anonymous",
    "guest",
    "owner",
    "editor",
    "joined",
    "joined editor",
    "other",
    "other editor",
    "staff",
    "superuser",
)
"""Without a session; with one of nobody; the user who opened the draft, and the same with all model
permissions; one who joined it, and the same with permissions; and users who have to do with it in
no way: a plain one, one with permissions, one of the staff, a superuser."""


@dataclass(slots=True)
class Asker:
    """One who sends requests by a token, or without any."""

    token: str | None

    async def send(self, query: str, **variables: Any) -> Any:
        """Return the answer."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        response = await AsyncClient().post(
            "/graphql",
            {"query": query, "variables": variables},
            content_type="application/json",
            headers=headers,
        )
        return json.loads(response.content)

    async def outcome(self, query: str, **variables: Any) -> str:
        """Return `OK`, `null` where the one field is that, or the code of the first error."""
        answer = await self.send(query, **variables)
        if answer.get("errors"):
            return str(answer["errors"][0]["extensions"]["code"])
        (told,) = answer["data"].values()
        if isinstance(told, dict) and told.get("errors"):
            return str(told["errors"][0]["code"])
        return "null" if told is None else "OK"

    async def data(self, query: str, **variables: Any) -> Any:
        """Return the one field of an answer without errors."""
        answer = await self.send(query, **variables)
        assert "errors" not in answer, answer
        (told,) = answer["data"].values()
        assert not (isinstance(told, dict) and told.get("errors")), told
        return told


class People:
    """A saved band with two members, and a draft of it that is shared with some."""

    def __init__(self) -> None:
        """Nobody is there before `come`."""
        self.users: dict[str, User] = {}
        self.askers: dict[str, Asker] = {"anonymous": Asker(None)}
        self.pk = ""
        self.draft = ""
        self.link = ""

    async def come(self) -> None:
        """Make everybody."""
        self.askers["guest"] = Asker(session.start().token)
        for name in ACTORS[2:]:
            user = await User.objects.acreate_user(
                name,
                is_staff=name in {"staff", "superuser"},
                is_superuser=name == "superuser",
            )
            if name.endswith("editor"):
                await permit(user, *MODELS)
            self.users[name] = user
            self.askers[name] = Asker(session.start(user).token)
        band = await Band.objects.acreate(name="Quarrymen")
        await BandMember.objects.acreate(band=band, name="John", instrument="vocals", position=1)
        await BandMember.objects.acreate(band=band, name="Paul", instrument="bass", position=2)
        self.pk = str(band.pk)

    async def open(self, owner: str) -> None:
        """Open a draft as somebody, share it, and let the others in who join."""
        by = self.askers[owner]
        query = "mutation($pk: ID) { openBandDraft(pk: $pk) { draft { id } errors { code } } }"
        self.draft = (await by.data(query, pk=self.pk))["draft"]["id"]
        query = "mutation($draft: ID!) { shareDraft(draft: $draft) { token errors { code } } }"
        self.link = (await by.data(query, draft=self.draft))["token"]
        query = "mutation($token: String!) { joinDraft(token: $token) { errors { code } } }"
        for name in ("joined", "joined editor"):
            await self.askers[name].data(query, token=self.link)
        edit = """mutation($draft: ID!) { editBandDraft(draft: $draft, changes:
          [{ set: { name: "The Quarry Men" } }]) { errors { code } } }"""
        await by.data(edit, draft=self.draft)


async def permit(
    user: User, *models: str, actions: tuple[str, ...] = ("add", "change", "delete")
) -> None:
    """Give a user Django's permissions for some models."""
    names = [f"{action}_{model}" for action in actions for model in models]
    found = [each async for each in Permission.objects.filter(codename__in=names)]
    assert len(found) == len(names)
    await user.user_permissions.aadd(*found)
