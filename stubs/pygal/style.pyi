from typing import Any

class CleanStyle:
    def __init__(self, **style: Any) -> None: ...
