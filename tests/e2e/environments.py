"""Environments apart from that of the tests: what the service's lock names, and nothing else.

Nothing is fetched: the packages are links to those of the tests, which have the same versions.
"""

from __future__ import annotations

import re
import sysconfig
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.e2e.workers import ROOT

SERVICE_LOCK = ROOT / "requirements-service.lock"
_PIN = re.compile(r"^[\w.-]+==[^\\\n]+", re.MULTILINE)


def pins(lock: Path) -> list[Requirement]:
    """Return what a lock pins for this machine and this Python."""
    pinned = map(Requirement, _PIN.findall(lock.read_text()))
    return [each for each in pinned if each.marker is None or each.marker.evaluate()]


def make_environment(folder: Path) -> Path:
    """Make an environment of what the service's lock names, and return its packages' folder."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    for pin in pins(SERVICE_LOCK):
        found = distribution(pin.name)
        assert pin.specifier.contains(found.version), f"{pin} is not {found.version}"
        _link(found, packages)
        for command in found.entry_points.select(group="console_scripts"):
            _write_command(folder, command.name, command.module, command.attr)
    return packages


def _link(installed: Distribution, packages: Path) -> None:
    """Link everything that a package has put beside the others."""
    here = Path(sysconfig.get_path("purelib"))
    names = {file.parts[0] for file in installed.files or () if file.parts[0] != ".."}
    for name in names - {"__pycache__"}:
        if not (packages / name).is_symlink():  # a namespace that several packages share
            (packages / name).symlink_to(here / name)


def _write_command(folder: Path, name: str, module: str, function: str) -> None:
    """Write a command as an installer does."""
    script = folder / "bin" / name
    script.write_text(
        f"#!{folder / 'bin' / 'python'}\n"
        f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    )
    script.chmod(0o755)
