"""The table that Django does not manage, as somebody else would have made it."""

from typing import Any, ClassVar

import django.db.models.deletion
import modelcluster.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """The model is managed for a moment; a key that is not is not in the state of a migration."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("troupe", "0001_initial")]
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Book",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("entry", models.CharField(max_length=40)),
                (
                    "archive",
                    modelcluster.fields.ParentalKey(
                        db_constraint=False,  # else no test could empty the other tables
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="troupe.archive",
                    ),
                ),
            ],
            options={"db_table": "books_of_old"},
        ),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Book")]),
    ]
