"""A test gets the service it means, or an explanation with the entry to add."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.contract.runtime import load_runtime
from realservices.sources.embedded import EmbeddedServices
from realservices.sources.errors import MissingServiceError, UnreachableServiceError
from realservices.sources.launched import LaunchedServices
from realservices.sources.missing import services_are_required
from realservices.sources.services import Services, find_services

if TYPE_CHECKING:
    from pathlib import Path

_POSTGRES = {"kind": "postgres", "label": "//a:db", "host": "127.0.0.1", "port": 1, "password": "p", "url": "u"}
_REDIS = {**_POSTGRES, "kind": "redis", "label": "//a:cache"}


@pytest.fixture
def description() -> dict[str, Any]:
    """A description of two PostgreSQL services."""
    services = {"db": _POSTGRES, "orders": {**_POSTGRES, "label": "//a:orders", "of a newer release": 1}}
    return {
        "version": 1,
        "label": "//a:test",
        "control": "/c",
        "sandbox": "/s",
        "private": "/p",
        "isolation": "transaction",
        "services": services,
    }


def _write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_first_service_of_a_kind_or_the_named_one(tmp_path: Path, description: dict[str, Any]) -> None:
    services = _launched(tmp_path, description)
    assert services.names("postgres") == ["db", "orders"]
    assert services.endpoint("postgres").name == "db"
    assert services.endpoint("postgres", "orders").label == "//a:orders"
    assert (services.label, services.private, services.isolation) == ("//a:test", "/p", "transaction")


def test_a_database_is_no_server_for_http_clients(tmp_path: Path, description: dict[str, Any]) -> None:
    url = "http://test:secret@127.0.0.1:1/test"
    events = {**_POSTGRES, "kind": "clickhouse", "url": url}
    web = {**_POSTGRES, "kind": "executable", "url": "http://127.0.0.1:2"}
    services = _launched(tmp_path, {**description, "services": {"events": events, "web": web}})
    assert {each.name: list(each.speaks) for each in services.declared()} == {"events": [], "web": ["http"]}


def test_missing_service_names_the_entry_to_add(tmp_path: Path, description: dict[str, Any]) -> None:
    services = _launched(tmp_path, description)
    assert services.names("redis") == []
    with pytest.raises(MissingServiceError) as caught:
        services.endpoint("redis")
    assert 'services = ["@rules_realservices//services:redis"]' in str(caught.value)
    assert "//a:test declares: db (postgres, //a:db), orders" in str(caught.value)
    with pytest.raises(MissingServiceError, match=r"'stock'; //a:test declares: db"):
        services.endpoint("postgres", "stock")


def test_no_launcher_no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALSERVICES_RUNTIME", raising=False)
    monkeypatch.setenv("TEST_TARGET", "//b:test")
    with pytest.raises(MissingServiceError, match=r"no launcher .* //b:test"):
        find_services().endpoint("postgres")


def _launched(tmp_path: Path, description: dict[str, Any]) -> Services:
    return Services([LaunchedServices(load_runtime(_write(tmp_path / "runtime.json", description)))])


@pytest.mark.parametrize(
    ("variables", "required"),
    [
        ({}, False),
        ({"REALSERVICES_REQUIRE": "0"}, False),
        ({"REALSERVICES_REQUIRE": "1"}, True),
        ({"TEST_SRCDIR": "/x"}, True),
        ({"BAZEL_TEST": "1"}, True),
    ],
)
def test_services_are_required_under_bazel(
    variables: dict[str, str], required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REALSERVICES_REQUIRE", "TEST_SRCDIR", "BAZEL_TEST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert services_are_required() is required


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "damaged"), ("[]", "damaged"), ({"version": 2}, "reads version 1"), ({"version": 1}, "damaged")],
)
def test_description_that_cannot_be_read(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        load_runtime(_write(tmp_path / "runtime.json", content))


def test_description_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="unset the variable"):
        load_runtime(str(tmp_path / "gone.json"))


def test_threads_of_a_process_join_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALSERVICES_SESSION", raising=False)
    several = [Services([]) for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        joined = list(pool.map(lambda services: services.session, several * 4))
    assert len({session.directory for session in joined}) == 1
    assert [services.ends_session for services in several].count(True) == 1
    for services in several:
        services.close()
    assert not joined[0].directory.exists()
    assert "REALSERVICES_SESSION" not in os.environ


def test_nothing_starts_after_the_end(tmp_path: Path) -> None:
    declared = '[services.auth]\nkind = "executable"\ncommand = ["{python}", "-m", "auth"]\n'
    (tmp_path / "realservices.toml").write_text(declared, encoding="utf-8")

    def no_session() -> Any:
        raise AssertionError("this would begin a session")

    embedded = EmbeddedServices(tmp_path, no_session)
    embedded.close()
    with pytest.raises(UnreachableServiceError, match="service 'auth' does not start: its session has ended"):
        embedded.endpoint("executable", "auth")
