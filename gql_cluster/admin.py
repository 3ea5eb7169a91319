"""Receipts on the admin site: who saved what, and when; to look at, and not to touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from gql_cluster.models import Receipt

NOTHING = "-"

if TYPE_CHECKING:
    Base: TypeAlias = admin.ModelAdmin[Receipt]
else:
    Base = admin.ModelAdmin  # not generic when it runs


@admin.register(Receipt)
class ReceiptAdmin(Base):
    """Lists and shows receipts to whoever has the permission to view them."""

    list_display = ("at", "cluster", "saved", "version", "session", "draft_id", "on_conflict")
    list_filter = ("cluster", "on_conflict", "keep_open", "at")
    search_fields = ("=root_pk", "=draft_id", "=session", "=change_id")
    search_help_text = "The whole primary key, draft id, session or change id."
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False  # there may be millions

    @admin.display(description="saved", ordering="root_pk")
    def saved(self, receipt: Receipt) -> str:
        """Show the primary key, with a link to the cluster's own page where there is one."""
        address = self._address(receipt)
        if address is None:
            return receipt.root_pk or NOTHING
        return format_html('<a href="{}">{}</a>', address, receipt.root_pk)

    def _address(self, receipt: Receipt) -> str | None:
        try:
            model = apps.get_model(receipt.cluster)
        except (LookupError, ValueError):
            return None  # it was another release's
        if not receipt.root_pk or not self.admin_site.is_registered(model):
            return None
        name = f"{self.admin_site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(name, args=(quote(receipt.root_pk),))
        except NoReverseMatch:
            return None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell that nobody makes one: a commit does."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell that nobody changes one."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell that nobody deletes one here: a commit would be carried out again."""
        del request, obj
        return False
