"""What comes from others: pinned with hashes, from wherever the installer takes it, and free."""

from __future__ import annotations

import re
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-service.lock"]
PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "PSF-2.0"}
# The service uses psycopg and certifi as they come: these licences ask no more of anybody for that.
OF_THE_SERVICE = PERMISSIVE | {"LGPL-3.0-only", "MPL-2.0"}
# What packages say that do not use the expressions of SPDX yet.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
PIN = re.compile(r"^(?P<pin>[\w.-]+==[^\\\n]+)(?P<rest>(?:\\\n.*)*)", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Return name and version of what a lock pins, for every machine."""
    found = (Requirement(match["pin"]) for match in PIN.finditer(lock.read_text()))
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in found}


def licences(name: str) -> list[set[str]]:
    """Return what a user of an installed package may choose among: licences that hold together."""
    said = distribution(name).metadata
    classifiers = [
        each.split(" :: ")[-1] for each in said.get_all("Classifier", ()) if "OSI" in each
    ]
    text = said["License-Expression"] or said["License"] or " OR ".join(classifiers)
    return [{SPDX.get(each, each) for each in one.split(" AND ")} for one in text.split(" OR ")]


def is_allowed(name: str, allowed: set[str]) -> bool:
    """Tell whether a package can be had by allowed licences alone."""
    return any(each <= allowed for each in licences(name))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_place(lock: Path) -> None:
    """Neither an index nor a path: it is the installer's affair where the files come from."""
    text = lock.read_text()
    assert not re.search(r"://|^-|^[./]|\s@\s|file:", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_a_hash_of_every_file(lock: Path) -> None:
    """A file that was exchanged is not installed."""
    found = list(PIN.finditer(lock.read_text()))
    assert len(found) > 20
    assert [match["pin"] for match in found if "--hash=sha256:" not in match["rest"]] == []


def test_the_service_runs_with_what_is_tested() -> None:
    """Its lock is a part of the other one."""
    tested, service = (pins(lock) for lock in LOCKS)
    assert service.items() <= tested.items()


def test_what_the_service_brings_has_a_licence_that_is_allowed() -> None:
    """Of packages that belong to other machines, nothing is known here."""
    for match in PIN.finditer(LOCKS[1].read_text()):
        pin = Requirement(match["pin"])
        if pin.marker is None or pin.marker.evaluate():
            assert is_allowed(pin.name, OF_THE_SERVICE), f"{pin.name}: {licences(pin.name)}"


def test_what_the_engine_brings_is_permissive() -> None:
    """Whoever embeds it is bound to nothing more than its own licence asks for."""
    seen: set[str] = set()
    waiting = ["gql_cluster"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        assert is_allowed(name, PERMISSIVE), f"{name}: {licences(name)}"
        needs = map(Requirement, requires(name) or ())
        waiting += [
            need.name
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    assert "graphql-core" in seen
