"""Records, as LOG_FORMAT and LOG_LEVEL have them."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.logs import formatter, handler, logging_settings
from gql_cluster import logs
from gql_cluster.transport.identified import begin_operation
from tests.e2e.workers import ROOT

pytestmark = pytest.mark.once


@contextmanager
def request(**ids: str) -> Iterator[logs.Request]:
    """Be within a request."""
    made = logs.Request(**ids)
    token = logs.begin(made)
    try:
        yield made
    finally:
        logs.end(token)


def written(record: logging.LogRecord) -> str:
    """Return the line that a record becomes."""
    made = handler()
    assert made.filter(record)
    return made.format(record)


def record(message: str = "Done", *args: object, name: str = "app") -> logging.LogRecord:
    """Return a record of a message."""
    return logging.LogRecord(name, logging.INFO, __file__, 1, message, args, None)


def test_json_has_the_ids_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none that are not."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    with request(request_id="r", session_id="s"):
        line = json.loads(written(record()))
    assert line.pop("time")
    expected = {"level": "INFO", "logger": "app", "message": "Done"}
    assert line == {**expected, "request_id": "r", "session_id": "s"}


def test_json_of_half_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which JSON can hold, and UTF-8 can't: the record is not lost."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    line = written(record("Who sends %s?", "\ud800"))
    assert json.loads(line)["message"] == "Who sends \ud800?"
    assert line.isascii()


def test_a_line_has_them_behind_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """For people."""
    monkeypatch.setenv("LOG_FORMAT", "line")
    with request(request_id="r", draft_id="d"):
        assert written(record()).endswith(" INFO app: Done request_id=r draft_id=d")
    assert written(record()).endswith(" INFO app: Done")


def test_a_message_can_not_look_like_another_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """In JSON a line is a record, whatever is logged."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    assert "\n" not in written(record("%s", 'x\n{"level": "ERROR"}'))


@pytest.mark.parametrize("name", ["uvicorn.access", "uvicorn.error"])
def test_an_address_is_logged_without_what_is_behind_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever of uvicorn's it is that logs it."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    line = json.loads(written(record('"%s %s" %d', "GET", "/graphql?token=x&y=z", 200, name=name)))
    assert line["message"] == '"GET /graphql" 200'


def test_what_a_library_puts_on_its_records_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a statement with its parameters, or a whole request."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    made = record()
    made.__dict__ |= {"sql": "SELECT", "params": ["secret"], "request": "<GET secret>"}
    assert "secret" not in written(made)


@pytest.mark.parametrize(
    ("debug", "kind"), [("1", logging.Formatter), ("0", None)], ids=["DEBUG", "production"]
)
def test_production_logs_json(
    monkeypatch: pytest.MonkeyPatch, debug: str, kind: type[logging.Formatter] | None
) -> None:
    """Unless told otherwise; development logs for people."""
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    monkeypatch.setenv("DEBUG", debug)
    assert ("Json" in type(formatter()).__name__) is (kind is None)


def test_frames_of_sockets_are_not_logged_at_any_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have tokens in them."""
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert logging_settings()["loggers"]["uvicorn.error"]["level"] == "INFO"
    monkeypatch.setenv("LOG_LEVEL", "warning")
    assert logging_settings()["loggers"]["uvicorn.error"]["level"] == "WARNING"


async def test_tasks_and_threads_of_a_request_have_its_ids() -> None:
    """And what they find out, the request knows; those of others have nothing of it."""
    with request(request_id="r") as made:

        async def find_out() -> None:
            logs.note(session="s")
            await asyncio.to_thread(logs.note, draft="d")

        await asyncio.create_task(find_out())
        assert (made.session_id, made.draft_id) == ("s", "d")
    logs.note(session="other")
    assert made.session_id == "s"
    assert logs.current() is None


def test_the_file_for_uvicorn_says_what_the_settings_say() -> None:
    """It holds before the settings do: a parent of workers never reads those."""
    code = (
        "import json, logging, logging.config\n"
        "logging.config.dictConfig(json.load(open('config/logging.json')))\n"
        "logging.getLogger('uvicorn.error').info('Started %s', 'it')\n"
        "logging.getLogger('uvicorn.access').info('%s', '/a?b')\n"
    )
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    messages = [json.loads(line)["message"] for line in result.stderr.splitlines()]
    assert messages == ["Started it", "/a"]


@pytest.mark.parametrize(
    ("name", "logged"), [("edit-1", "edit-1"), ('x\n{"level": "ERROR"}', "-"), ("x" * 129, "-")]
)
async def test_an_operation_is_called_as_its_client_called_it_if_that_is_fit_for_a_log(
    name: str, logged: str
) -> None:
    """With the socket that it runs on, and whose that is."""
    with request(connection_id="c", session_id="s"):

        async def operation() -> logs.Request | None:
            begin_operation(name)
            return logs.current()

        made = await asyncio.create_task(operation())
        assert made == logs.Request(connection_id="c", session_id="s", operation_id=logged)
        assert logs.current() is not made
