"""Runs `manage.py check` of the projects that stdin names, a line each, and answers in JSON.

Each is a process of its own, forked of this one when the libraries are imported: that is most of
what a start takes.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import strawberry_django  # noqa: F401 - and all that it imports
from django.core.management import execute_from_command_line


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        directory = Path(line.strip())
        child = os.fork()
        if child == 0:
            check(directory)
        _, status = os.waitpid(child, 0)
        told = {
            "returncode": os.waitstatus_to_exitcode(status),
            "stdout": (directory / "stdout").read_text(),
            "stderr": (directory / "stderr").read_text(),
        }
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


def check(directory: Path) -> None:
    """Be the process of one project."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(directory / name, os.O_CREAT | os.O_WRONLY), descriptor)
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    code: object = 0
    try:
        execute_from_command_line(["manage.py", "check"])
    except SystemExit as exc:
        code = exc.code
    except BaseException:  # noqa: BLE001 - a process of its own ends here, whatever it is
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
