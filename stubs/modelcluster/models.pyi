from typing import Any, Self

from django.db import models
from django.db.models.fields.related import ManyToManyField
from django.db.models.fields.reverse_related import ManyToOneRel

def get_all_child_relations(model: type[models.Model]) -> list[ManyToOneRel]: ...
def get_all_child_m2m_relations(
    model: type[models.Model],
) -> list[ManyToManyField[Any, Any]]: ...
def get_serializable_data_for_fields(model: models.Model) -> dict[str, Any]: ...

class ClusterableModel(models.Model):
    class Meta:
        abstract = True

    def serializable_data(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_serializable_data(
        cls,
        data: dict[str, Any],
        check_fks: bool = ...,
        strict_fks: bool = ...,
    ) -> Self | None: ...
    @classmethod
    def from_json(
        cls,
        json_data: str,
        check_fks: bool = ...,
        strict_fks: bool = ...,
    ) -> Self | None: ...
    def copy_child_relation(
        self,
        child_relation: str,
        target: models.Model,
        commit: bool = ...,
        append: bool = ...,
    ) -> dict[tuple[ManyToOneRel, int | None], models.Model]: ...
    def copy_all_child_relations(
        self,
        target: models.Model,
        exclude: list[str] | None = ...,
        commit: bool = ...,
        append: bool = ...,
    ) -> dict[tuple[ManyToOneRel, int | None], models.Model]: ...
    def copy_cluster(
        self,
        exclude_fields: list[str] | None = ...,
    ) -> tuple[Self, dict[tuple[ManyToOneRel, int | None], models.Model]]: ...
