"""The app that brings the samples of every domain, as `manage.py load_samples`."""

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    """Has no models; its one management command fills those of the domains."""

    name = "schema"
    label = "samples"
