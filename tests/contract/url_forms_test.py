"""Addresses of databases in the forms of several languages' libraries."""

from __future__ import annotations

from typing import Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.contract.url_forms import written_as
from realservices.kinds.postgres.url_forms import FORMS

_DB: dict[str, Any] = {
    "kind": "postgres",
    "host": "127.0.0.1",
    "port": 20001,
    "user": "test",
    "password": "secret",
    "database": "app",
    "url": "postgresql://test:secret@127.0.0.1:20001/app",
}
_EVENTS: dict[str, Any] = {**_DB, "kind": "clickhouse", "url": "http://test:secret@127.0.0.1:20001/app"}
_ODD: dict[str, Any] = {**_DB, "password": "it's; a \\ \"p&ss=", "database": "my app"}


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("asyncpg", "postgresql+asyncpg://test:secret@127.0.0.1:20001/app"),
        ("psycopg", "postgresql+psycopg://test:secret@127.0.0.1:20001/app"),
        ("psycopg_async", "postgresql+psycopg_async://test:secret@127.0.0.1:20001/app"),
        ("psycopg2", "postgresql+psycopg2://test:secret@127.0.0.1:20001/app"),
        ("postgres", "postgres://test:secret@127.0.0.1:20001/app"),
        ("jdbc", "jdbc:postgresql://127.0.0.1:20001/app?user=test&password=secret"),
        ("r2dbc", "r2dbc:postgresql://test:secret@127.0.0.1:20001/app"),
        ("dsn", "host=127.0.0.1 port=20001 user=test password=secret dbname=app sslmode=disable"),
        ("npgsql", "Host=127.0.0.1;Port=20001;Username=test;Password=secret;Database=app"),
    ],
)
def test_a_form_of_postgresql(form: str, written: str) -> None:
    assert written_as("env X", form, _DB) == written


def test_every_form_is_tried() -> None:
    assert [written_as("env X", form, _DB) for form in FORMS]
    assert written_as("env X", "jdbc", _EVENTS) == "jdbc:clickhouse://127.0.0.1:20001/app?user=test&password=secret"


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (
            "jdbc",
            "jdbc:postgresql://127.0.0.1:20001/my%20app?user=test&password=it%27s%3B%20a%20%5C%20%22p%26ss%3D",
        ),
        (
            "dsn",
            "host=127.0.0.1 port=20001 user=test password='it\\'s; a \\\\ \"p&ss=' dbname='my app' sslmode=disable",
        ),
        (
            "npgsql",
            'Host=127.0.0.1;Port=20001;Username=test;Password="it\'s; a \\ ""p&ss=";Database="my app"',
        ),
    ],
)
def test_what_would_end_a_value_is_escaped(form: str, written: str) -> None:
    assert written_as("env X", form, _ODD) == written


def test_how_a_server_of_others_wants_tls() -> None:
    assert written_as("env X", "dsn", {**_DB, "sslmode": "verify-full"}).endswith(" sslmode=verify-full")


@pytest.mark.parametrize("form", ["psycopg", "dsn"])
def test_a_form_that_the_kind_has_not(form: str) -> None:
    with pytest.raises(ManifestError) as caught:
        written_as("env X", form, _EVENTS)
    assert str(caught.value) == (
        f"env X: there is no form {form!r} of the URL http://… of this service; its forms are jdbc"
    )
