"""The one table of the engine: receipts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Receipt(models.Model):
    """That a draft was committed: written in the transaction that saved the cluster.

    It is what tells a commit that was carried out from one that was not, whatever happens
    to the worker or to Redis right after. A version of a draft is committed once.
    """

    draft_id = models.CharField(max_length=64)
    version = models.PositiveIntegerField(help_text="The version of the draft that was saved.")
    session = models.CharField(max_length=64, help_text="The session that committed.")
    # By the database's default, a worker of the release before can go on writing receipts.
    user = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text="The primary key of the user, if there was one.",
    )
    change_id = models.CharField(max_length=200, blank=True)
    on_conflict = models.CharField(
        max_length=8, default="FAIL", help_text="Which side the commit decided conflicts for."
    )
    is_merged = models.BooleanField(
        default=False, help_text="Whether the whole draft was laid over what others had saved."
    )
    keep_open = models.BooleanField(default=False, help_text="Whether the draft stays open.")
    cluster = models.CharField(max_length=200, help_text="The root's model.")
    root_pk = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    keys = models.JSONField(
        default=dict, help_text="Key to primary key, of every node that the draft named."
    )
    types = models.JSONField(default=dict, help_text="Key to node type, of the same nodes.")

    class Meta:
        """A cluster's receipts are read newest first."""

        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["cluster", "root_pk"], name="gql_cluster_receipt_root"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["draft_id", "version"], name="gql_cluster_receipt_version"
            ),
        ]

    def __str__(self) -> str:
        """Tell what was saved and when."""
        return f"{self.cluster} {self.root_pk} at {self.at}"
