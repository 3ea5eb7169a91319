"""The table: every shape that a cluster may have, a row each."""

from __future__ import annotations

import datetime as dt

from schema.bands.models import Band
from schema.films import types as films
from schema.films.models import Movie
from schema.people import types as people
from schema.people.models import Group
from schema.posts import types as posts
from schema.posts.models import Blog
from tests.clusters.models import CreditNote, Invoice, Reminder
from tests.clusters.specimens import Shelf, Specimen
from tests.festival import places
from tests.festival.models import Festival
from tests.shapes import models as small
from tests.shapes.shape import Shape
from tests.shapes.values import Give


def is_not(_: int) -> bool:
    """Return False: the manager hides what is marked, or one alone may be."""
    return False


def founded(number: int) -> dt.date:
    """Return a day before anybody has joined."""
    return dt.date(1900, 1, 1) + dt.timedelta(days=number)


BANDS: Give = {"BandMember.left": lambda number: 3000 + number}
INVOICES: Give = {
    "*.archived": is_not,
    "Line.is_main": is_not,
    "Line.quantity": lambda number: 1 + number % 3,
}
GROUPS: Give = {"Group.founded": founded}
LISTED = {"Volume": "sort_order", "Film": "sort_order"}
INVOICE_ORDER = {"Line": "sort_order"}

SHAPES = {
    "a root alone": Shape(model=small.Plain),
    "three levels, orders, choices, sets of the root": Shape(
        model=Band, ordered={"BandMember": "position", "Song": "position"}, give=BANDS
    ),
    "a root that is shown to the public": Shape(model=Movie),
    "a declared type with what is worked out": Shape(model=Movie, mirrored=films.Movie),
    "a through model that is a child": Shape(model=Group, give=GROUPS),
    "the same declared": Shape(model=Group, mirrored=people.Group, give=GROUPS),
    "tags of children, an overridden manager": Shape(model=Blog),
    "the same declared, with rows of a manager": Shape(model=Blog, mirrored=posts.Blog),
    "tags, sets of both kinds, through, the same model": Shape(
        model=Festival, ordered={"Act": "_order"}
    ),
    "order_with_respect_to, every kind of field": Shape(
        model=Specimen, ordered={"Sample": "_order"}, is_opaque=True
    ),
    "to_field, limit_choices_to, save(), sort_order_field, constraints, UUID": Shape(
        model=Invoice, ordered=INVOICE_ORDER, give=INVOICES
    ),
    "a table below with a column that is generated": Shape(
        model=CreditNote, ordered=INVOICE_ORDER, give=INVOICES
    ),
    "a proxy": Shape(model=Reminder, ordered=INVOICE_ORDER, give=INVOICES),
    "primary keys that people choose": Shape(model=Shelf),
    "ordered by a relation, by an expression, not at all": Shape(model=small.League),
    "names that the engine has too, an inherited parental key, a manager by another name": Shape(
        model=small.Catalogue, ordered=LISTED
    ),
    "a table below by a link with a name": Shape(model=small.Atlas, ordered=LISTED),
    "children that refer to another column": Shape(model=small.Country),
    "below itself": Shape(model=small.Section),
    "columns and tables of other names": Shape(model=small.Logbook),
    "unmanaged": Shape(model=small.Ledger),
    "files and images": Shape(model=small.Gallery),
    "a primary key that is chosen beside a unique parent": Shape(
        model=small.Citizen, single=["Passport"]
    ),
    "abstract, a field removed, a field overridden": Shape(model=places.Venue),
    "a table below, children of both": Shape(model=places.Hall),
    "two tables below, children of ancestors": Shape(model=places.Arena),
    "a proxy whose manager hides": Shape(
        model=places.BigHall, give={"*.seats": lambda number: 2000 + number}
    ),
    "two parents": Shape(model=places.Stage),
    "children of two parents": Shape(model=small.ClockRadio),
    "one to one, the same model, of django-model-utils": Shape(
        model=places.Team, filled=["status_changed", "taken_at"]
    ),
    "children of many kinds": Shape(model=places.Page, ordered={"Block": "position"}),
    "kinds by keys that people choose, to_field, orders, kinds below a kind": Shape(
        model=small.Zoo, ordered={"Animal": "_order", "Egg": "sort_order"}
    ),
    "children below a table outside, and a kind of them": Shape(model=small.Museum),
    "below itself, of many kinds": Shape(model=small.Chapter),
    "foreign keys between children": Shape(
        model=small.Recipe, ordered={"Task": "_order"}, within=["Task.after"]
    ),
    "marked instead of deleted": Shape(model=places.Asset, give={"*.is_removed": is_not}),
}
