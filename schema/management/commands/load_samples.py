"""`manage.py load_samples`: something real to look at and to edit."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from schema.bands import samples as bands
from schema.films import samples as films
from schema.people import samples as people
from schema.places import samples as places
from schema.posts import samples as posts


class Command(BaseCommand):
    """Fills each domain that is empty; all of it or nothing, and a second run changes nothing."""

    help = "Load the samples of every domain, each kind only where there is none yet."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Load what is missing and say in one line what that was."""
        with transaction.atomic():
            new_bands = bands.load()
            new_films = films.load()
            new_groups = people.load()
            new_places = places.load()
            new_blogs = posts.load()
        self.stdout.write(
            f"Sample data: loaded {new_bands} bands, {new_films} films, "
            f"{new_groups} groups, {new_places} places and {new_blogs} blogs."
        )
