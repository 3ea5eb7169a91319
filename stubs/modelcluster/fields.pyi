# Subclasses of Django's generic fields: the django-stubs plugin fills their type arguments
# from the model they point to, and gives that model its reverse manager.
from typing import Any, TypeVar

from django.db import models

_ST = TypeVar("_ST")
_GT = TypeVar("_GT")
_To = TypeVar("_To", bound=models.Model)
_Through = TypeVar("_Through", bound=models.Model)

class ParentalKey(models.ForeignKey[_ST, _GT]):
    def __init__(
        self,
        to: type[models.Model] | str,
        on_delete: Any = ...,
        related_name: str | None = ...,
        **kwargs: Any,
    ) -> None: ...

class ParentalManyToManyField(models.ManyToManyField[_To, _Through]): ...
