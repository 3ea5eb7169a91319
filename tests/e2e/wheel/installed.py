"""An environment in which the wheel is installed, and nothing of this repository is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.environments import make_environment
from tests.e2e.workers import ROOT

PATIENCE = 120  # seconds


def build(folder: Path) -> Path:
    """Build the wheel as an installer would, but with the build backend that is there."""
    command = ("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, timeout=PATIENCE)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment, and the folder in which its commands run."""

    folder: Path
    project: Path

    @property
    def environ(self) -> dict[str, str]:
        """What its processes see: nothing of the tests'."""
        return {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join((str(self.folder / "bin"), os.defpath)),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, command: str, *, fails: bool = False) -> str:
        """Run a command of the shell and return what it printed."""
        result = subprocess.run(  # noqa: S602 - it comes from our own pages
            f"set -e\n{command}",
            shell=True,
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (result.returncode != 0) == fails, result.stdout
        return result.stdout

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command that goes on until it is told to end."""
        with log.open("wb") as output:
            return subprocess.Popen(  # noqa: S602 - the same
                f"exec {command}",
                shell=True,
                cwd=self.project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def install(wheel: Path, folder: Path) -> Environment:
    """Make an environment with the wheel in it."""
    environment = Environment(folder=folder / "environment", project=folder / "project")
    environment.project.mkdir()
    make_environment(environment.folder)
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    install = ("pip", "install", "--quiet", "--offline", "--no-index", "--no-deps", "--no-config")
    subprocess.run(  # noqa: S603
        [uv, *install, "--python", environment.folder / "bin" / "python", wheel],
        env=os.environ | {"UV_CACHE_DIR": str(folder / "cache"), "UV_LINK_MODE": "copy"},
        check=True,
        timeout=PATIENCE,
    )
    return environment
