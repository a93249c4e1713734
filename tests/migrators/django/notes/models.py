"""The users."""

from __future__ import annotations

from django.db import models


class User(models.Model):
    """One who takes notes."""

    name = models.TextField()
    active = models.BooleanField(db_default=True)

    class Meta:
        """The name that the other migrators give the table, too."""

        db_table = "users"
