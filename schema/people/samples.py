"""The sample people and groups, read from `data/people.json`, and how they come into the database.

People, groups and days of birth are real. Of joining and founding the year alone is known, so
that 1 January stands for it; the reasons are given in our own words.
"""

from datetime import date
from pathlib import Path

import msgspec

from schema.people.models import Group, Membership, Person

DATA = Path(__file__).parent / "data" / "people.json"


class PersonSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["born", "About"]`."""

    born: date
    about: str


class MembershipSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["Person", "joined", "Reason"]`."""

    person: str
    date_joined: date
    invite_reason: str


class GroupSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group, with its members by their names."""

    name: str
    about: str
    founded: date
    memberships: list[MembershipSample]


class Samples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    people: dict[str, PersonSample]
    groups: list[GroupSample]


def read() -> Samples:
    """The sample people and groups."""
    return msgspec.json.decode(DATA.read_bytes(), type=Samples)


def load() -> int:
    """Save the sample groups if there is no group at all, and say how many were saved."""
    if Group.objects.exists():
        return 0
    samples = read()
    Person.objects.bulk_create(
        (
            Person(name=name, born=each.born, about=each.about)
            for name, each in samples.people.items()
        ),
        ignore_conflicts=True,
    )
    people = Person.objects.in_bulk(list(samples.people), field_name="name")
    groups = Group.objects.bulk_create(
        Group(name=sample.name, about=sample.about, founded=sample.founded)
        for sample in samples.groups
    )
    Membership.objects.bulk_create(
        Membership(
            group=group,
            person=people[each.person],
            date_joined=each.date_joined,
            invite_reason=each.invite_reason,
        )
        for sample, group in zip(samples.groups, groups, strict=True)
        for each in sample.memberships
    )
    return len(groups)
