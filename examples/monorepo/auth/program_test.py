"""The auth service as a program of its own, with its stores in view: what a test writes there, the program reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from auth.passwords import hash_password
from auth.testing import CHEAP, ServiceControl

EMAIL = "test@example.com"
PASSWORD = "password123"

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
def environment(auth_service_integration_environment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The program, as `http`, and its own `database` and `redis`, which are put back after each test."""
    return auth_service_integration_environment


@pytest.mark.parametrize("again", range(3))
async def test_sign_up_is_in_the_stores_and_gone_after_the_test(environment: Mapping[str, Any], again: int) -> None:
    grant = await environment["http"].auth_signup(EMAIL, f"{PASSWORD}{again}")
    rows = await environment["database"].fetch("SELECT id, email FROM users")
    assert [tuple(row) for row in rows] == [(grant["user_id"], EMAIL)]
    assert await environment["redis"].keys("*") == [f"session:{grant['session_id']}"]
    known = await environment["http"].get("/auth/me")
    assert known.json() == {"user_id": grant["user_id"], "email": EMAIL}


async def test_account_that_the_test_makes_can_log_in(environment: Mapping[str, Any]) -> None:
    user_id = await environment["database"].fetchval(
        "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING id", EMAIL, hash_password(PASSWORD, CHEAP)
    )
    grant = await environment["http"].auth_login(EMAIL, PASSWORD)
    assert grant["user_id"] == user_id
    assert await environment["redis"].get(f"session:{grant['session_id']}") is not None


async def test_session_that_the_test_ends_is_over(environment: Mapping[str, Any]) -> None:
    grant = await environment["http"].auth_signup(EMAIL, PASSWORD)
    await environment["redis"].delete(f"session:{grant['session_id']}")
    refused = await environment["http"].get("/auth/me")
    assert (refused.status_code, refused.json()["error"]) == (401, "session_ended")


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_accounts_and_sessions_outlive_the_program(
    environment: Mapping[str, Any], service_control: ServiceControl, how: str
) -> None:
    http = environment["http"]
    await http.auth_signup(EMAIL, PASSWORD)
    await (service_control.kill("auth_server") if how == "kill" else service_control.stop("auth_server"))
    with pytest.raises(Exception, match="auth_server"):
        await http.get("/auth/me")
    await service_control.start("auth_server")
    assert (await http.get("/auth/me")).status_code == 200
    assert (await http.auth_login(EMAIL, PASSWORD))["user_id"]


async def test_program_waits_for_stores_that_are_away(
    environment: Mapping[str, Any], service_control: ServiceControl
) -> None:
    http = environment["http"]
    await http.auth_signup(EMAIL, PASSWORD)
    for store in ("db", "cache"):
        assert (await http.get("/health")).status_code == 200
        await service_control.kill(store)
        assert (await http.get("/health")).status_code == 503
        assert (await http.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})).status_code == 503
        await service_control.start(store)
        assert (await http.get("/health")).status_code == 200
    assert (await http.auth_login(EMAIL, PASSWORD))["user_id"]
