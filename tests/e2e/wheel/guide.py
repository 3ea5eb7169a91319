"""A page of the documentation, as something that can be followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w/]+\.py)(?:, (.*))?\n")
AT_THE_END = "at the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of code. That of a file begins with a comment that names it."""

    language: str
    text: str

    @property
    def path(self) -> str | None:
        """The file that this is, or belongs into."""
        named = _FILE.match(self.text)
        return named[1] if named else None

    @property
    def remark(self) -> str | None:
        """What is said of the file beside its name."""
        named = _FILE.match(self.text)
        return named[2] if named else None

    def write(self, folder: Path) -> None:
        """Write the file, or append to it what belongs to its end."""
        assert self.path is not None
        with (folder / self.path).open("a" if self.remark == AT_THE_END else "w") as file:
            file.write(self.text)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    return [
        Block(language=language, text=text) for language, text in _BLOCK.findall(page.read_text())
    ]
