"""A project made by `startproject` installs the wheel, follows the guide, and serves a draft."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from email.message import Message
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import ZipFile

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.e2e.client import DEADLINE, Client, open_socket
from tests.e2e.environments import SERVICE_LOCK, pins
from tests.e2e.wheel.guide import AT_THE_END, Block, blocks
from tests.e2e.wheel.installed import Environment
from tests.e2e.workers import ROOT, Worker, wait_for_worker

GUIDE = ROOT / "docs" / "how-to" / "embed.md"
REDIS = "redis://127.0.0.1:6379/0"
CONSUMER = """
import gql_cluster

few: gql_cluster.Children = gql_cluster.Children(min_num=1)
schema: gql_cluster.Schema = gql_cluster.Schema(clusters=[])
"""

DISH = {"key": "soup", "name": "Soup", "price": "4.50"}
OPEN = """mutation ($pk: ID, $data: MenuInput) {
  done: openMenuDraft(pk: $pk, data: $data) { draft { id } errors { message } }
}"""
EDIT = """mutation ($draft: ID!, $changes: [MenuChange!]!) {
  done: editMenuDraft(draft: $draft, changes: $changes) { draft { version } errors { message } }
}"""
COMMIT = """mutation ($draft: ID!) {
  done: commitMenuDraft(draft: $draft) {
    cluster { pk title dishes { pk name } } errors { message field }
  }
}"""
SHOW = """query ($draft: ID!) {
  draft(id: $draft) {
    errors { message } changes { key fields { name before after } }
    ... on MenuDraft { cluster { seats } }
  }
}"""

Serve: TypeAlias = Callable[[], Worker]

pytestmark = pytest.mark.once


def metadata(wheel: Path) -> Message:
    """Return what the wheel says of itself."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_has_the_engine_and_nothing_else(wheel: Path) -> None:
    """Every file of the package, whatever its kind, and the licence."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    package = (path for path in (ROOT / "gql_cluster").rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in package if path.suffix != ".pyc"}
    assert names == expected
    assert {"gql_cluster/py.typed", "gql_cluster/store/lua/append.lua"} < names
    assert any(name.startswith("gql_cluster/migrations/0001") for name in names)
    assert len(licences) == 1


def test_what_the_wheel_asks_for_is_what_the_tests_run_with(wheel: Path) -> None:
    """An installer that takes the versions of the lock is content with them."""
    pinned = {canonicalize_name(pin.name): pin.specifier for pin in pins(SERVICE_LOCK)}
    needs = [Requirement(each) for each in metadata(wheel).get_all("Requires-Dist", [])]
    needs = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    assert {"django", "redis", "strawberry-graphql"} <= {need.name for need in needs}
    for need in needs:
        name = canonicalize_name(need.name)
        assert pinned[name].contains(version(name))
        assert need.specifier.contains(version(name))


def test_the_wheel_says_on_what_it_runs_and_by_which_licence(wheel: Path) -> None:
    """A registry and an auditor read it there."""
    said = metadata(wheel)
    assert said["License-Expression"] == "BSD-3-Clause"
    assert said["Requires-Python"] == "<3.13,>=3.11"
    assert said["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in said.get_all("Classifier", [])


def test_nothing_of_this_repository_is_in_the_environment(environment: Environment) -> None:
    """What the next tests import is what the wheel has brought."""
    place = environment.run("python -c 'import gql_cluster; print(gql_cluster.__file__)'")
    assert Path(place.strip()).is_relative_to(environment.folder)
    environment.run("python -c 'import schema'", fails=True)


def test_a_type_checker_sees_the_types_of_the_wheel(environment: Environment) -> None:
    """By `mypy --strict`: what is right passes, and what is wrong is found."""
    (environment.folder / "consumer.py").write_text(CONSUMER)
    (environment.folder / "wrong.py").write_text(CONSUMER.replace("=1", '="one"'))
    python = environment.folder / "bin" / "python"
    command = f"{sys.executable} -m mypy --strict --python-executable '{python}'"
    found = environment.run(
        f"cd '{environment.folder}' && {command} consumer.py wrong.py", fails=True
    )
    assert re.findall(r"^(.*?\.py):\d+: error: .*\[(.*)\]$", found, re.MULTILINE) == [
        ("wrong.py", "arg-type")
    ]


@pytest.fixture(scope="module")
def guide() -> list[Block]:
    """What the guide says to do."""
    return blocks(GUIDE)


@pytest.fixture(scope="module")
def project(environment: Environment, guide: list[Block], redis_url: str) -> Environment:
    """A project as the guide says, up to the command that serves it, on the Redis of the tests."""
    install, *steps = [block for block in guide if block.language in ("sh", "python")]
    assert install.text == "pip install path/to/gql_cluster uvicorn websockets\n"
    for step in steps:
        text = step.text.replace(REDIS, redis_url)
        here = Block(language=step.language, text=text)
        if step.language == "sh" and not text.startswith("uvicorn"):
            environment.run(text)
        elif step.path and step.remark in (None, AT_THE_END):
            here.write(environment.project)
    return environment


@pytest.fixture
def serve(project: Environment, guide: list[Block], tmp_path: Path) -> Iterator[Serve]:
    """Serve the project as the guide says, on any port, until the test ends or it is stopped."""
    (command,) = (block.text for block in guide if block.text.startswith("uvicorn"))
    with ExitStack() as stack:

        def start() -> Worker:
            log = tmp_path / f"server-{len(list(tmp_path.iterdir()))}.log"
            process = project.start(f"{command.strip()} --port=0", log)
            stack.callback(Worker(url="", process=process, log=log).stop)
            return wait_for_worker(process, log)

        yield start
    for log in sorted(tmp_path.glob("*.log")):
        sys.stdout.write(log.read_text(errors="replace"))


@asynccontextmanager
async def clients(server: Worker) -> AsyncIterator[Client]:
    """A client of it."""
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as http:
        yield await Client(http=http, worker=server).started()


async def test_the_guide_leads_to_a_draft(serve: Serve, guide: list[Block]) -> None:
    """It is opened, watched, edited and committed by the guide's own words."""
    server = serve()
    operations = [block.text for block in guide if block.language == "graphql"]
    start, opening, watching, editing, committing = operations
    assert "startSession" in start
    async with clients(server) as client:
        opened = (await client.data(opening))["openMenuDraft"]
        assert not opened["errors"]
        draft = opened["draft"]["id"]
        async with open_socket(server, token=client.token) as socket:
            watcher = await socket.start(watching, draft=draft)
            edited = (await client.data(editing, draft=draft))["editMenuDraft"]
            assert edited["draft"]["cluster"] == {
                "title": "Lunch",
                "dishes": [{"name": "Soup", "price": "4.50"}],
            }
            assert await event(socket, watcher) == {"__typename": "DraftEdited", "version": 1}
            committed = (await client.data(committing, draft=draft))["commitMenuDraft"]
            assert not committed["errors"]
            assert committed["cluster"]["dishes"] == [{"pk": "1", "name": "Soup"}]
            assert await event(socket, watcher) == {"__typename": "DraftCommitted", "version": 2}
        assert (await client.http.get(f"{server.url}/readyz")).is_success


async def event(socket: Any, operation: str) -> Any:
    """Return the next event that has a number of its own."""
    while True:
        message = (await socket.receive(operation))["payload"]["data"]["draftEvents"]
        if message["__typename"] != "EditorsChanged":
            return message


async def test_open_drafts_outlive_a_migration_of_their_models(
    project: Environment, serve: Serve
) -> None:
    """A field that came has its default, what was staged in one that went is let go."""
    server = serve()
    async with clients(server) as client:
        lunch = await opened(client, data={"title": "Lunch", "dishes": [DISH]})
        menu = (await client.data(COMMIT, draft=lunch))["done"]["cluster"]
        saved = await opened(client, pk=menu["pk"])
        new = await opened(client, data={"title": "Brunch", "dishes": [DISH]})
        for draft, key in ((saved, f"Dish:{menu['dishes'][0]['pk']}"), (new, DISH["key"])):
            dish = {"key": key, "set": {"price": "5", "name": "Stew"}}
            changes = [{"set": {"title": "Dinner"}}, {"dishes": {"update": dish}}]
            edited = (await client.data(EDIT, draft=draft, changes=changes))["done"]
            assert not edited["errors"]
    server.stop()
    models = project.project / "menus" / "models.py"
    text = models.read_text()
    try:
        models.write_text(
            text.replace(
                "    title =", "    seats = models.IntegerField(default=4)\n    title ="
            ).replace("    price =", "    # no price: ")
        )
        project.run("python manage.py makemigrations --no-input menus; python manage.py migrate")
        async with clients(serve()) as other:
            again = replace(client, http=other.http, worker=other.worker)
            for draft in (saved, new):
                shown = (await again.data(SHOW, draft=draft))["draft"]
                assert shown["cluster"]["seats"] == 4
                assert shown["errors"] == []
                told = {field["name"] for change in shown["changes"] for field in change["fields"]}
                assert {"title", "name"} <= told <= {"title", "name", "seats"}
                done = (await again.data(COMMIT, draft=draft))["done"]
                assert done["errors"] == []
                assert done["cluster"]["title"] == "Dinner"
                assert [dish["name"] for dish in done["cluster"]["dishes"]] == ["Stew"]
    finally:
        models.write_text(text)


async def opened(client: Client, **given: Any) -> str:
    """Open a draft and return its id."""
    payload = (await client.data(OPEN, **given))["done"]
    assert not payload["errors"]
    return str(payload["draft"]["id"])


def test_the_types_of_the_guide_make_a_schema(project: Environment, guide: list[Block]) -> None:
    """Those that a reader declares, where the models are not mirrored whole."""
    (declared,) = (block for block in guide if block.remark == "with types of your own")
    declared.write(project.project)
    printed = project.run("python manage.py export_schema menus.schema:schema")
    assert "total: Float!" in printed


def test_the_readme_says_what_the_guide_says(guide: list[Block]) -> None:
    """Its short form has no line that the guide has not."""
    (short,) = (
        block.text
        for block in blocks(ROOT / "README.md")
        if block.language == "python" and "INSTALLED_APPS" in block.text
    )
    known = {line.strip() for block in guide for line in block.text.splitlines()}
    assert {line.strip() for line in short.splitlines()} <= known
