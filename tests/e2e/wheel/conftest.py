"""The wheel, and an environment in which it is installed, once for all tests of it."""

from pathlib import Path

import pytest

from tests.e2e.wheel.installed import Environment, build, install


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has the wheel, with an empty folder for a project."""
    return install(wheel, tmp_path_factory.mktemp("foreign"))
