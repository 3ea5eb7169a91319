"""Rows and sets that refer to children of the cluster itself."""

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A play of the troupe, which a draft may remove."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("troupe", "0002_books_of_old")]
    operations: ClassVar[list[Any]] = [
        migrations.AddField(
            model_name="gift",
            name="play",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="troupe.play",
            ),
        ),
        migrations.AddField(
            model_name="troupe",
            name="favourites",
            field=models.ManyToManyField(blank=True, related_name="+", to="troupe.play"),
        ),
    ]
