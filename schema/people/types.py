"""The mirror of the groups, with their members as a list to read."""

import strawberry
import strawberry_django
from django.db.models import QuerySet
from strawberry import auto

import gql_cluster
from schema.people import models


@gql_cluster.type(models.Person)
class Person:
    """Somebody, in any number of groups."""

    name: auto
    about: auto
    born: auto


@gql_cluster.type(models.PersonByAge)
class PersonByAge:
    """Somebody whose day of birth is known."""

    name: auto
    about: auto
    born: auto


@gql_cluster.type(models.Membership)
class Membership:
    """A person's place in a group."""

    group: "Group"
    person: Person | None
    date_joined: auto
    invite_reason: auto


@gql_cluster.type(models.Group)
class Group:
    """A circle of people, with since when and why each is in it."""

    name: auto
    about: auto
    founded: auto
    memberships: list[Membership]
    members: list[Person] = strawberry_django.field(
        description="Everybody in it; edited by the memberships."
    )


@strawberry.type
class Query:
    """What can be asked about people who are in no group."""

    people: list[Person] = strawberry_django.field(pagination=True, description="All people.")

    @strawberry_django.field(
        graphql_type=list[PersonByAge],
        description="Those whose day of birth is known, the oldest first.",
    )
    def people_by_age(self) -> QuerySet[models.PersonByAge]:
        """Return those whom the proxy's own manager finds, in the proxy's own order."""
        return models.PersonByAge.objects.all()
