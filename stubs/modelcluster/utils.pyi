from collections.abc import Sequence
from typing import Any

def sort_by_fields(items: list[Any], fields: Sequence[str]) -> None: ...
