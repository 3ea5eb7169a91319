"""`manage.py load_samples`: something real to look at and to edit."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from schema.bands import samples as bands
from schema.films import samples as films


class Command(BaseCommand):
    """Fills each domain that is empty; all of it or nothing, and a second run changes nothing."""

    help = "Load the sample bands and films, each kind only where there is none yet."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Load what is missing and say in one line what that was."""
        with transaction.atomic():
            new_bands = bands.load()
            new_films = films.load()
        self.stdout.write(f"Sample data: loaded {new_bands} bands and {new_films} films.")
