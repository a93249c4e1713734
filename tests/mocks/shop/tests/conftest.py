from unittest.mock import MagicMock

import pytest

from app.shelf import Shelf


@pytest.fixture
def db_session():
    return MagicMock()


@pytest.fixture
def shelf(db_session):
    return Shelf(db_session)
