"""Autouse fixtures that put mocks in place: each test does it itself, and the fixture goes when no test needs it."""

from __future__ import annotations

from tests.mocks.converting import convert, converted

_PATCHING = """@pytest.fixture(autouse=True)
def client():
    with patch("app.cache.client") as client:
        client.get.return_value = b"1"
        yield client


def test_a():
    assert cache.recall("x") == "1"


def test_b(client):
    client.get.return_value = None
    assert cache.recall("y") is None
"""


def test_tests_put_the_real_object_in_place_themselves() -> None:
    assert (
        converted(_PATCHING)
        == """@pytest.mark.requires_redis
def test_a(isolated_redis_bytes_sync, monkeypatch):
    monkeypatch.setattr("app.cache.client", isolated_redis_bytes_sync)
    isolated_redis_bytes_sync.set("memo:x", b"1")
    assert cache.recall("x") == "1"


@pytest.mark.requires_redis
def test_b(isolated_redis_bytes_sync, monkeypatch):
    monkeypatch.setattr("app.cache.client", isolated_redis_bytes_sync)
    assert cache.recall("y") is None
"""
    )


def test_the_fixture_stays_for_a_test_that_is_left() -> None:
    result = convert(_PATCHING + "\n\ndef test_c(client):\n    cache.recall('y')\n    assert client.mock_calls == []\n")
    assert (result.converted, [each.test for each in result.left]) == (["test_a", "test_b"], ["test_c"])
    assert "@pytest.fixture(autouse=True)\ndef client():\n" in result.after
    assert "def test_b(isolated_redis_bytes_sync, monkeypatch):" in result.after
    again = convert(result.after.partition("\n\n\n")[2])
    assert again.after == again.before


def test_it_stays_for_a_test_without_a_service() -> None:
    result = convert(_PATCHING + "\n\ndef test_c():\n    assert 1 == 1\n")
    assert (result.converted, result.left) == (["test_a", "test_b"], [])
    assert "@pytest.fixture(autouse=True)\ndef client():\n" in result.after


def test_one_that_gives_nothing() -> None:
    text = converted(
        '@pytest.fixture(autouse=True)\ndef no_redis():\n    with patch("app.cache.client"):\n        yield\n\n\n'
        'def test_b():\n    assert cache.remember("y", "2") is None\n'
    )
    assert "no_redis" not in text
    assert 'monkeypatch.setattr("app.cache.client", isolated_redis_sync)' in text


def test_one_that_sets_by_monkeypatch_is_changed() -> None:
    text = converted(
        "@pytest.fixture(autouse=True)\ndef redis(monkeypatch):\n    client = MagicMock()\n"
        '    client.get.return_value = b"4"\n    monkeypatch.setattr("app.cache.client", client)\n\n\n'
        'def test_b():\n    assert cache.recall("y") == "4"\n'
    )
    assert "def redis(monkeypatch, isolated_redis_bytes_sync):\n    monkeypatch.setattr(" in text
    assert '    isolated_redis_bytes_sync.set("memo:y", b"4")\n' in text


def test_one_that_does_something_beside_is_left() -> None:
    result = convert(
        "import os\n\n\n"
        + _PATCHING.replace("    with patch", '    os.environ["A"] = "1"\n    with patch').replace(
            "def test_b", "def no_test"
        )
    )
    assert [each.why for each in result.left] == ["it installs its mock for all tests, and does something beside"]
    assert result.after == result.before
