"""The environment contract: names and values that a test program sees."""

from __future__ import annotations

from typing import Any

import pytest

from realservices.contract.environment import (
    mapped_environment,
    resolved_text,
    service_environment,
    variable_prefix,
)
from realservices.contract.errors import ManifestError

_DB: dict[str, Any] = {
    "kind": "postgres",
    "host": "127.0.0.1",
    "port": 20001,
    "user": "test",
    "password": "secret",
    "database": "app",
    "url": "postgresql://test:secret@127.0.0.1:20001/app",
}
_CACHE: dict[str, Any] = {
    "kind": "redis",
    "host": "127.0.0.1",
    "port": 20002,
    "password": "hidden",
    "database": 0,
    "url": "redis://:hidden@127.0.0.1:20002/0",
}


def test_each_kind_has_its_usual_names() -> None:
    assert service_environment({"db": _DB, "cache": _CACHE}) == {
        "TEST_POSTGRES_HOST": "127.0.0.1",
        "TEST_POSTGRES_PORT": "20001",
        "TEST_POSTGRES_USER": "test",
        "TEST_POSTGRES_PASSWORD": "secret",
        "TEST_POSTGRES_DB": "app",
        "DATABASE_URL": "postgresql://test:secret@127.0.0.1:20001/app",
        "TEST_REDIS_HOST": "127.0.0.1",
        "TEST_REDIS_PORT": "20002",
        "TEST_REDIS_PASSWORD": "hidden",
        "REDIS_URL": "redis://:hidden@127.0.0.1:20002/0",
        "REALSERVICES_DB_URL": "postgresql://test:secret@127.0.0.1:20001/app",
        "REALSERVICES_DB_HOST": "127.0.0.1",
        "REALSERVICES_DB_PORT": "20001",
        "REALSERVICES_CACHE_URL": "redis://:hidden@127.0.0.1:20002/0",
        "REALSERVICES_CACHE_HOST": "127.0.0.1",
        "REALSERVICES_CACHE_PORT": "20002",
    }


def test_the_first_of_a_kind_has_the_kinds_names() -> None:
    second = {**_DB, "port": 20003, "url": "postgresql://second"}
    variables = service_environment({"db": _DB, "second-db": second})
    assert variables["DATABASE_URL"] == _DB["url"]
    assert variables["TEST_POSTGRES_PORT"] == "20001"
    assert variables["REALSERVICES_DB_PORT"] == "20001"
    assert variables["REALSERVICES_SECOND_DB_PORT"] == "20003"
    assert variables["REALSERVICES_SECOND_DB_URL"] == "postgresql://second"


_AUTH: dict[str, Any] = {
    "kind": "executable",
    "host": "127.0.0.1",
    "port": 20004,
    "ports": {"http": 20004, "admin": 20005},
    "url": "http://127.0.0.1:20004",
    "websocket_url": "",
}


def test_each_port_has_a_name() -> None:
    variables = service_environment({"auth": _AUTH})
    assert variables == {
        "REALSERVICES_AUTH_URL": "http://127.0.0.1:20004",
        "REALSERVICES_AUTH_HOST": "127.0.0.1",
        "REALSERVICES_AUTH_PORT": "20004",
        "REALSERVICES_AUTH_HTTP_PORT": "20004",
        "REALSERVICES_AUTH_ADMIN_PORT": "20005",
    }


def test_a_named_port_does_not_hide_another_service() -> None:
    other = {**_AUTH, "port": 20006, "ports": {"http": 20006}}
    for order in ({"auth": _AUTH, "auth_admin": other}, {"auth_admin": other, "auth": _AUTH}):
        assert service_environment(order)["REALSERVICES_AUTH_ADMIN_PORT"] == "20006"


def test_a_service_without_ports_has_no_variables() -> None:
    assert service_environment({"worker": {**_AUTH, "port": 0, "ports": {}, "url": ""}}) == {}


def test_no_services_no_variables() -> None:
    assert service_environment({}) == {}


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("db", "REALSERVICES_DB_"), ("user-db", "REALSERVICES_USER_DB_"), ("a.b2", "REALSERVICES_A_B2_")],
)
def test_a_name_becomes_a_prefix(name: str, prefix: str) -> None:
    assert variable_prefix(name) == prefix


def test_a_mapping_joins_literals_and_references() -> None:
    mapping: dict[str, list[str | dict[str, str]]] = {
        "APP_DB": ["jdbc:", {"service": "db", "field": "url"}, "?x=1"],
        "ADDRESS": [{"service": "cache", "field": "host"}, ":", {"service": "cache", "field": "port"}],
        "PLAIN": ["$(not a reference)"],
        "EMPTY": [],
    }
    assert mapped_environment(mapping, {"db": _DB, "cache": _CACHE}) == {
        "APP_DB": "jdbc:postgresql://test:secret@127.0.0.1:20001/app?x=1",
        "ADDRESS": "127.0.0.1:20002",
        "PLAIN": "$(not a reference)",
        "EMPTY": "",
    }


def test_a_reference_to_no_service() -> None:
    with pytest.raises(ManifestError) as caught:
        mapped_environment({"X": [{"service": "queue", "field": "url"}]}, {"db": _DB, "cache": _CACHE})
    assert str(caught.value) == "env X: no service 'queue'; the test declares ['cache', 'db']"


def test_parts_of_a_services_own_text() -> None:
    parts: list[str | dict[str, str]] = [
        "--port=",
        {"service": "", "field": "port"},
        ",",
        {"service": "", "field": "port", "port": "admin"},
        " ",
        {"file": "_main/a.txt"},
    ]
    assert (
        resolved_text("args", parts, {"auth": _AUTH}, own="auth", runfiles="/r") == "--port=20004,20005 /r/_main/a.txt"
    )


def test_a_reference_to_no_port() -> None:
    with pytest.raises(ManifestError) as caught:
        mapped_environment({"X": [{"service": "auth", "field": "port", "port": "grpc"}]}, {"auth": _AUTH})
    assert str(caught.value) == "env X: service 'auth' has no port 'grpc'; it has ['admin', 'http']"


def test_a_reference_to_no_field() -> None:
    with pytest.raises(ManifestError) as caught:
        mapped_environment({"X": [{"service": "cache", "field": "user"}]}, {"cache": _CACHE})
    assert str(caught.value) == (
        "env X: service 'cache' of kind 'redis' has no field 'user'; "
        "it has ['database', 'host', 'kind', 'password', 'port', 'url']"
    )


def test_a_url_that_names_a_driver() -> None:
    assert mapped_environment({"X": [{"service": "db", "field": "url", "driver": "asyncpg"}]}, {"db": _DB}) == {
        "X": _DB["url"].replace("postgresql://", "postgresql+asyncpg://")
    }
    with pytest.raises(ManifestError) as caught:
        mapped_environment({"X": [{"service": "cache", "field": "url", "driver": "asyncpg"}]}, {"cache": _CACHE})
    assert str(caught.value) == (
        "env X: there is no form 'asyncpg' of the URL redis://… of this service; it has the plain URL only"
    )
