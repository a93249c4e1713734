"""The program that Bazel runs: `alembic upgrade head`, with the files beside it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

command.upgrade(Config(Path(__file__).parent / "alembic.ini"), "head")
