from typing import Any

from django.db.models.fields.related import RelatedField

class TaggableManager(RelatedField[Any, Any]):
    def __init__(self, *, blank: bool = ..., through: type[Any] | None = ...) -> None: ...
    def __get__(self, instance: object, owner: type[Any] | None = ...) -> Any: ...
