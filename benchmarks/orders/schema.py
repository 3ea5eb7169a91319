"""The orders' schema: the engine's mirror of them, and what it is compared with beside it."""

import strawberry
import strawberry_django
from strawberry import auto

import gql_cluster
from benchmarks.orders import models


@strawberry_django.type(models.PlainOrderLine)
class PlainOrderLine:
    """A line, as strawberry-django serves it."""

    id: auto
    product: auto
    quantity: auto
    price: auto
    note: auto


@strawberry_django.type(models.PlainOrder)
class PlainOrder:
    """An order, as strawberry-django serves it."""

    id: auto
    number: auto
    lines: list[PlainOrderLine]


@strawberry_django.partial(models.PlainOrderLine)
class PlainOrderLineInput:
    """A line of the form."""

    id: auto
    product: auto
    quantity: auto
    price: auto
    note: auto


@strawberry_django.partial(models.PlainOrder)
class PlainOrderInput:
    """The form: an order with all its lines."""

    id: auto
    number: auto
    customer: auto
    status: auto
    placed: auto
    notes: auto
    lines: list[PlainOrderLineInput] | None = strawberry.UNSET


@strawberry.type
class Query:
    """What costs a request that asks for nothing."""

    @strawberry.field
    def ping(self) -> int:
        """Return a number."""
        return 1


@strawberry.type
class Mutation:
    """The nested update as users of strawberry-django write it."""

    update_order: PlainOrder = strawberry_django.mutations.update(
        PlainOrderInput, key_attr="id", handle_django_errors=False
    )


schema = gql_cluster.Schema(clusters=[models.Order, models.Invoice], query=Query, mutation=Mutation)
