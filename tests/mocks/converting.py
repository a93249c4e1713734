"""Conversions of the shop's test files, without a server: the tables are written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realservices.mocks.convert.file_conversion import FileConverter
from realservices.mocks.scan import Project
from tests.mocks.shop_schema import shop_schema

if TYPE_CHECKING:
    from realservices.mocks.convert.conversion_results import FileResult

SHOP = Path(__file__).with_name("shop")
HEAD = """import json
from unittest.mock import ANY, AsyncMock, MagicMock, call, mock_open, patch

import pytest

from app import books, cache, legacy, notes, orders, settings, weather
from app.cache import Limiter, UserCache
from app.models import Author, Book
from app.users import UserService


"""


def convert(body: str) -> FileResult:
    """Return what becomes of a test file of the shop: the usual imports, and what follows them."""
    return FileConverter(Project(SHOP), shop_schema()).convert(SHOP / "tests" / "test_one.py", HEAD + body)


def converted(body: str) -> str:
    """Return the text that follows the imports when everything has been converted."""
    result = convert(body)
    assert result.error == ""
    assert not result.left, result.left
    _, _, after = result.after.partition("\n\n\n")
    return after
