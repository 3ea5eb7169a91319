"""`manage.py check` of a small project: each wrong set-up is told with its number and a hint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "gql_cluster", "app"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
"""
MODELS = """
from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

class Band(ClusterableModel):
    name = models.CharField(max_length=40)

class Member(models.Model):
    band = ParentalKey(Band, related_name="members")
    name = models.CharField(max_length=40)
"""
SCHEMA = """
import gql_cluster
import strawberry
import strawberry_django
from app import models

schema = gql_cluster.Schema(clusters=[models.Band])
"""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A project with something wrong in it, and what is told of it."""

    id: str
    says: str
    hint: str
    models: str = ""
    schema: str = ""
    settings: str = ""

    def __str__(self) -> str:
        return f"{self.id}: {self.says}"


WRONG = [
    Wrong(
        id="gql_cluster.E001",
        settings='GQL_CLUSTER = {"DRAFT_TLL": 1}',
        says="GQL_CLUSTER has no setting 'DRAFT_TLL'.",
        hint="lists them all",
    ),
    Wrong(
        id="gql_cluster.E002",
        models="Member.sort_order_field = 'place'",
        says="app.Member: ",
        hint="Name the field that numbers the children of one parent.",
    ),
    Wrong(
        id="gql_cluster.E003",
        models="""
        class Color(models.Field):
            pass

        class Album(models.Model):
            band = ParentalKey(Band, related_name="albums")
            color = Color()
        """,
        says="app.Album.color: ",
        hint="register_field(Color, type=...)",
    ),
    Wrong(
        id="gql_cluster.E004",
        models="""
        class Album(models.Model):
            pk = models.CompositePrimaryKey("band_id", "number")
            band = ParentalKey(Band, related_name="albums")
            number = models.IntegerField()
        """,
        says="app.Album: ",
        hint="UniqueConstraint",
    ),
    Wrong(
        id="modelcluster.E002",
        models="""
        class Album(models.Model):
            band = ParentalKey(Band, related_name="+")
        """,
        says="app.Album.band: ",
        hint="Either change it to a valid name or remove it",
    ),
    Wrong(
        id="modelcluster.E001",
        models="""
        class Album(models.Model):
            pass

        class Song(models.Model):
            album = ParentalKey(Album, related_name="songs")
        """,
        says="app.Song.album: ",
        hint="Change app.Album into a ClusterableModel",
    ),
    Wrong(
        id="gql_cluster.E005",
        schema="""
        @strawberry.type
        class Band:
            name: str

        schema = gql_cluster.Schema(clusters=[Band])
        """,
        says="Band is neither a model nor declared with gql_cluster.type.",
        hint="Schema(clusters=[",
    ),
    Wrong(
        id="gql_cluster.E005",
        schema='schema = gql_cluster.Schema(clusters=["app.Band"])',
        says="'app.Band' is neither a model nor declared",
        hint="the classes themselves",
    ),
    Wrong(
        id="gql_cluster.E005",
        schema="schema = gql_cluster.Schema(clusters=models.Band)",
        says="and no list.",
        hint="Give it a list",
    ),
    Wrong(
        id="gql_cluster.E006",
        models="""
        class Act(ClusterableModel):
            class Meta:
                abstract = True
        """,
        schema="schema = gql_cluster.Schema(clusters=[models.Act])",
        says="app.Act is no cluster: it is abstract.",
        hint="a model with a table",
    ),
    Wrong(
        id="gql_cluster.E006",
        schema="schema = gql_cluster.Schema(clusters=[models.Member])",
        says="app.Member is no cluster",
        hint="a model with a table",
    ),
    Wrong(
        id="gql_cluster.E007",
        schema="schema = gql_cluster.Schema(clusters=[models.Band, models.Band])",
        says="app.Band is registered as the cluster Band, twice.",
        hint="Name each root once",
    ),
    Wrong(
        id="gql_cluster.E008",
        schema="""
        @strawberry_django.type(models.Member)
        class Member:
            name: strawberry.auto

        @gql_cluster.type(models.Band)
        class Band:
            members: list[Member]

        schema = gql_cluster.Schema(clusters=[Band])
        """,
        says="Member mirrors app.Member, which belongs to the cluster Band",
        hint="strawberry_django.type",
    ),
    Wrong(
        id="gql_cluster.E009",
        models="""
        from django.contrib.auth.models import Group as People

        class Group(models.Model):
            band = ParentalKey(Band, related_name="groups")
            people = models.ForeignKey(People, models.CASCADE)
        """,
        says="would both be the type Group.",
        hint="give it another name",
    ),
    Wrong(
        id="gql_cluster.E009",
        models="""
        class Session(models.Model):
            band = ParentalKey(Band, related_name="sessions")
        """,
        says="Type Session is defined multiple times in the schema",
        hint="give it another name",
    ),
    Wrong(
        id="gql_cluster.E009",
        models="""
        class String(models.Model):
            band = ParentalKey(Band, related_name="strings")
        """,
        says="app.String would be the type String, which is GraphQL's own.",
        hint="give it another name",
    ),
    Wrong(
        id="gql_cluster.E009",
        models="""
        class Stone(models.Model):
            band = ParentalKey(Band, related_name="stones")

        class PlainStone(Stone):
            color = models.CharField(max_length=9)
        """,
        says="The rows of app.Stone alone and app.PlainStone would both be the type PlainStone.",
        hint="give it another name",
    ),
    Wrong(
        id="gql_cluster.E009",
        models="""
        class Stone(models.Model):
            band = ParentalKey(Band, related_name="stones")

        class HTMLStone(Stone):
            color = models.CharField(max_length=9)

        class HTML_Stone(Stone):
            size = models.CharField(max_length=9)
        """,
        says="Two kinds of Stone would be one value of the filter by kind: ",
        hint="Give one of the models another name",
    ),
    Wrong(
        id="gql_cluster.E010",
        schema="""
        @gql_cluster.type(models.Band)
        class Band:
            members: list["Nobody"]

        schema = gql_cluster.Schema(clusters=[Band])
        """,
        says="The type of Band.members can't be found.",
        hint="can be imported",
    ),
    Wrong(
        id="gql_cluster.E011",
        models="""
        class Album(models.Model):
            band = ParentalKey(Band, related_name="albums")
            key = models.CharField(max_length=9)
        """,
        says="app.Album has a field “key”, which every mirror type has for itself.",
        hint="give the field another name",
    ),
    Wrong(
        id="gql_cluster.E012",
        schema="""
        @gql_cluster.type(models.Member)
        class Member:
            name: strawberry.auto

        @gql_cluster.type(models.Band)
        class Band:
            founders: list[Member] = gql_cluster.rows("members", "founding")

        schema = gql_cluster.Schema(clusters=[Band])
        """,
        says="Band.founders: app.Member has no manager “founding”",
        hint="Name a manager",
    ),
    Wrong(
        id="gql_cluster.E013",
        schema="""
        @gql_cluster.type(models.Band, children={"fans": gql_cluster.Children(max_num=1)})
        class Band:
            name: strawberry.auto
        """,
        says="app.Band has no child relation “fans”.",
        hint="It has “members”.",
    ),
    Wrong(
        id="gql_cluster.E014",
        models="""
        class Stone(ClusterableModel):
            weight = models.IntegerField(editable=False)
        """,
        schema="schema = gql_cluster.Schema(clusters=[models.Stone])",
        says="app.Stone has no field, relation or many-to-many that can be changed.",
        hint="make one of its fields editable",
    ),
    Wrong(
        id="gql_cluster.E015",
        models="""
        class Address(models.Model):
            band = ParentalKey(Band, related_name="addresses")
            line_1 = models.CharField(max_length=9)
            line1 = models.CharField(max_length=9)
        """,
        says="“line_1” and “line1” of Address",
        hint="Rename one of them; `db_column`",
    ),
    Wrong(
        id="gql_cluster.E016",
        schema="gql_cluster.register_field(models.Band, type=str)",
        says="is not a class of model fields.",
        hint="the class itself",
    ),
    Wrong(
        id="gql_cluster.E017",
        models="""
        class Album(models.Model):
            band = ParentalKey(Band, related_name="albums")
            größe = models.IntegerField(default=1)
        """,
        says="'größe'",
        hint="Rename the field",
    ),
    Wrong(
        id="gql_cluster.E018",
        models="""
        class Group(ClusterableModel):
            name = models.CharField(max_length=9)

            class Meta:
                verbose_name_plural = "bands"
        """,
        schema="schema = gql_cluster.Schema(clusters=[models.Band, models.Group])",
        says="app.Group would be asked for by “bands”",
        hint="another verbose_name_plural",
    ),
    Wrong(
        id="gql_cluster.E018",
        models="""
        class Sketch(ClusterableModel):
            name = models.CharField(max_length=9)

            class Meta:
                verbose_name_plural = "drafts"
        """,
        schema="schema = gql_cluster.Schema(clusters=[models.Sketch])",
        says="app.Sketch would be asked for by “drafts”",
        hint="another verbose_name_plural",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def checker() -> Iterator[subprocess.Popen[str]]:
    """What runs `manage.py check` of one project after the other."""
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(  # noqa: S603 - a script of ours
        [sys.executable, str(Path(__file__).parent / "checker.py")],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def checked(checker: subprocess.Popen[str], directory: Path, wrong: Wrong | None = None) -> Result:
    """Make a project and return what `manage.py check` says of it."""
    parts = ("", "", "") if wrong is None else (wrong.settings, wrong.models, wrong.schema)
    settings, models, schema = (dedent(part) for part in parts)
    (directory / "app").mkdir()
    (directory / "app" / "__init__.py").touch()
    (directory / "app" / "models.py").write_text(MODELS + models)
    (directory / "app" / "schema.py").write_text(SCHEMA + schema)
    (directory / "urls.py").write_text("from app.schema import schema\n\nurlpatterns = []\n")
    (directory / "settings.py").write_text(SETTINGS + settings)
    assert checker.stdin is not None
    assert checker.stdout is not None
    checker.stdin.write(f"{directory}\n")
    checker.stdin.flush()
    return Result(**json.loads(checker.stdout.readline()))


def test_what_is_right_passes(checker: subprocess.Popen[str], tmp_path: Path) -> None:
    """The project that the others differ from has nothing wrong."""
    result = checked(checker, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_wrong_is_told_at_start(
    checker: subprocess.Popen[str], tmp_path: Path, wrong: Wrong
) -> None:
    """With its number, what it is about and what to do; nobody has to read a traceback."""
    result = checked(checker, tmp_path, wrong)
    assert result.returncode == 1, result
    assert f"({wrong.id})" in result.stderr
    assert wrong.says in result.stderr
    assert wrong.hint in result.stderr.split("HINT: ")[1]
    assert "Traceback" not in result.stderr


def test_every_number_is_tried_and_explained() -> None:
    """Here, and in the guide for those who embed the engine."""
    package = Path(__file__).parent.parent.parent / "gql_cluster"
    known = {f"E{number:03}" for number in range(1, 19)}
    source = "".join(path.read_text() for path in package.rglob("*.py"))
    assert all(f'"{each}"' in source or f"gql_cluster.{each}" in source for each in known)
    assert {wrong.id.removeprefix("gql_cluster.") for wrong in WRONG} >= known
    guide = (package.parent / "docs" / "how-to" / "embed.md").read_text()
    assert [each for each in sorted(known) if f"`gql_cluster.{each}`" not in guide] == []
