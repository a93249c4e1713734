"""Let users be inactive."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("notes", "0001_initial"),)
    operations = (migrations.AddField("User", "active", models.BooleanField(db_default=True)),)
