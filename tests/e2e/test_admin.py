"""The admin site, where ADMIN=1 switches it on: logging in, and looking at receipts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e import operations
from tests.e2e.conftest import StartWorkers
from tests.e2e.database import select
from tests.e2e.samples import wings
from tests.e2e.workers import Worker, manage

pytestmark = pytest.mark.once

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
PASSWORD = "correct horse battery staple"  # noqa: S105


@pytest.fixture
def worker(start_workers: StartWorkers, database_url: str) -> Worker:
    """A worker with the admin site, and somebody who may do all there."""
    environ = {"DATABASE_URL": database_url, "ADMIN": "1"}
    manage("migrate", environ=environ)
    person = {"DJANGO_SUPERUSER_USERNAME": "ann", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    manage("createsuperuser", "--noinput", "--email=", environ=environ | person)
    return start_workers(1, ADMIN="1")[0]


@pytest.fixture
def http(worker: Worker) -> Iterator[httpx.Client]:
    """A browser."""
    with httpx.Client(base_url=worker.url, follow_redirects=True, trust_env=False) as client:
        yield client


def test_receipts_can_be_looked_at_and_not_touched(
    worker: Worker, http: httpx.Client, database_url: str
) -> None:
    """By who has logged in; the pages have their style sheets, too."""

    def send(query: str, **variables: object) -> dict[str, object]:
        body = {"query": query, "variables": variables}
        data: dict[str, object] = http.post("/graphql", json=body).json()["data"]
        return data

    token = httpx.post(
        worker.graphql, json={"query": "mutation { startSession { token } }"}, trust_env=False
    ).json()["data"]["startSession"]["token"]
    http.headers["Authorization"] = f"Bearer {token}"
    draft = send(operations.OPEN, data=wings())["payload"]["draft"]["id"]  # type: ignore[index]
    send(operations.COMMIT, draft=draft)
    del http.headers["Authorization"]

    page = http.get("/admin/gql_cluster/receipt/")
    assert "/admin/login/" in str(page.url)
    given = {"csrfmiddlewaretoken": TOKEN.findall(page.text)[0], "username": "ann"}
    page = http.post(page.url, data={**given, "password": PASSWORD})
    assert page.status_code == 200
    assert "bands.Band" in page.text
    (style,) = re.findall(r'href="(/static/admin/css/base\.css)"', page.text)
    assert http.get(style).headers["Content-Type"].startswith("text/css")
    assert http.get("/static/admin/css/missing.css").status_code == 404

    ((pk, session),) = select(database_url, "SELECT id, session FROM gql_cluster_receipt")
    assert str(pk) in http.get(f"/admin/gql_cluster/receipt/?q={session}").text
    shown = http.get(f"/admin/gql_cluster/receipt/{pk}/change/")
    assert shown.status_code == 200
    assert 'name="_save"' not in shown.text
    fresh = {"csrfmiddlewaretoken": TOKEN.findall(shown.text)[0], "post": "yes"}
    for address in (f"{pk}/change/", f"{pk}/delete/", "add/"):
        assert http.post(f"/admin/gql_cluster/receipt/{address}", data=fresh).status_code == 403
    assert len(select(database_url, "SELECT id FROM gql_cluster_receipt")) == 1
