"""What the tests of the migration from mocks share."""

from __future__ import annotations

from pathlib import Path

import pytest

# An application with mock-based tests: what the tests here convert, and nothing that runs by itself.
collect_ignore = ["shop"]

_FILES = {
    "pyproject.toml": "[project]\nname = 'shop'\n",
    "app/__init__.py": "",
    "app/users.py": "from redis import Redis\n\nredis = Redis()\n",
    "tests/test_users.py": """\
from unittest.mock import MagicMock, patch


@patch("app.users.redis")
def test_cached(redis):
    redis.get.return_value = None
    redis.get.assert_called_once_with("a")


@patch("time.sleep")
def test_waits(sleep):
    sleep.assert_called_once()


def test_stored():
    session = MagicMock()
    session.execute.side_effect = ValueError
    session.commit.assert_called_once()
""",
    "tests/test_plain.py": "def test_it():\n    assert True\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with two mocks to be replaced, and one that is right to stay."""
    for name, text in _FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "shop"
