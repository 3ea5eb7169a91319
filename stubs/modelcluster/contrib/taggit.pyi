from typing import Any

class ClusterTaggableManager:
    name: str
    remote_field: Any
