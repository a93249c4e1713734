"""Each way to make or install a mock is found, whatever it was imported as."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from realservices.mocks.scan import Project, scan_source
from realservices.mocks.scan_model import Form, MockUse, Service


def _uses(text: str, tmp_path: Path) -> tuple[MockUse, ...]:
    return scan_source(dedent(text), Path("test_it.py"), Project(tmp_path, [])).uses


@pytest.mark.parametrize(
    ("text", "form", "service"),
    [
        ("from unittest.mock import Mock\nredis = Mock()", Form.MOCK, Service.REDIS),
        ("from unittest import mock as m\n@m.patch('redis.Redis')\ndef test_it(one): pass", Form.PATCH_DECORATOR, Service.REDIS),
        ("from unittest.mock import patch as p\nwith p('asyncpg.connect') as c: pass", Form.PATCH_CONTEXT, Service.POSTGRES),
        ("from unittest.mock import *\npatch('requests.get').start()", Form.PATCH_CALL, Service.HTTP),
        ("import mock\nmock.patch.object(open, 'x').start()", Form.PATCH_CALL, Service.FILES),
        ("def test_it(mocker): mocker.patch('time.sleep')", Form.PATCH_CALL, Service.TIME),
        ("import fakeredis\nfakeredis.FakeStrictRedis()", Form.FAKE_LIBRARY, Service.REDIS),
        ("from sqlalchemy import create_engine\ncreate_engine('sqlite://')", Form.SQLITE, Service.POSTGRES),
        ("def test_it(httpx_mock): pass", Form.FAKE_LIBRARY, Service.HTTP),
        ("class FakeRedis:\n  def hget(self, key): pass", Form.FAKE_CLASS, Service.REDIS),
    ],
)  # fmt: skip
def test_a_form_is_found(text: str, form: Form, service: Service, tmp_path: Path) -> None:
    (use,) = _uses(text, tmp_path)
    assert (use.form, use.service) == (form, service)


@pytest.mark.parametrize("handed_on", ["return r", "yield r"])
def test_a_mock_that_a_fixture_hands_on_is_known_by_the_fixtures_name(handed_on: str, tmp_path: Path) -> None:
    text = f"""
    import pytest
    from unittest.mock import AsyncMock

    @pytest.fixture
    def mock_redis():
        r = AsyncMock()
        {handed_on}
    """
    (use,) = _uses(text, tmp_path)
    assert use.service is Service.REDIS
    assert use.evidence == ('the name mock_redis says "redis"',)


def test_a_method_of_a_fake_that_a_fixture_returns_is_no_mock(tmp_path: Path) -> None:
    text = """
    import pytest
    import fakeredis

    @pytest.fixture
    def fake():
        return fakeredis.FakeAsyncRedis()

    async def test_it(fake):
        assert await fake.ttl("a") == 1
    """
    assert [use.api for use in _uses(text, tmp_path)] == ["fakeredis.FakeAsyncRedis"]


@pytest.mark.parametrize("fixture", ["cloned_database", "isolated_redis"])
def test_a_real_service_in_place_of_the_client_is_no_mock(fixture: str, tmp_path: Path) -> None:
    text = f"""
    def test_it({fixture}, monkeypatch):
        monkeypatch.setattr("app.db.connect", lambda *_: connect({fixture}.url))
    """
    assert _uses(text, tmp_path) == ()
