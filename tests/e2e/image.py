"""What the Dockerfile makes, without an engine: its last stage, read and laid out in a folder."""

from __future__ import annotations

import json
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.environments import make_environment
from tests.e2e.workers import ROOT

_ASSIGNMENT = re.compile(r'(\w+)=(?:"([^"]*)"|(\S*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a container of it starts with."""

    variables: dict[str, str]
    command: list[str]
    health_command: list[str]
    user: int
    stop_signal: str
    sources: list[str]
    """What of this repository is in it."""

    def lay_out(self, folder: Path) -> None:
        """Make its file system in `folder`: packages in `venv`, files in `app`, read-only."""
        make_environment(folder / "venv")
        app = folder / "app"
        app.mkdir()
        for name in self.sources:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, app / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, app / name)
        for path in (app, *app.rglob("*")):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def read_image(dockerfile: Path) -> Image:
    """Return the image that a Dockerfile makes; it knows the instructions that ours has."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    last = max(number for number, line in enumerate(lines) if line[0] == "FROM")
    stage = dict(line for line in lines[last:])
    copied = [line[1].split() for line in lines if line[0] == "COPY"]
    app = [words[:-1] for words in copied[copied.index(["requirements-service.lock", "./"]) + 1 :]]
    return Image(
        variables={
            name: quoted or plain for name, quoted, plain in _ASSIGNMENT.findall(stage["ENV"])
        },
        command=json.loads(stage["CMD"]),
        health_command=json.loads(stage["HEALTHCHECK"].split("CMD")[1]),
        user=int(stage["USER"].split(":")[0]),
        stop_signal=stage["STOPSIGNAL"],
        sources=[name for words in app if not words[0].startswith("--") for name in words],
    )
