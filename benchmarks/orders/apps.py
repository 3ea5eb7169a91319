"""The Django app of the orders."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Orders and invoices; without migrations, because each run makes its database anew."""

    name = "benchmarks.orders"
    default_auto_field = "django.db.models.BigAutoField"
