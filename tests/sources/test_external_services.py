"""Services that somebody else runs: which they are, and what is said when they are not there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from realservices.sources.errors import SettingError, UnreachableServiceError
from realservices.sources.external_services import ExternalServices
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint


@pytest.mark.usefixtures("external")
def test_variables_name_the_services(launched_postgres: Endpoint) -> None:
    services = find_services()
    assert services.names("postgres") == ["postgres"]
    endpoint = services.endpoint("postgres")
    assert (endpoint.url, endpoint.disposable) == (launched_postgres.url, False)
    assert not services.endpoint("postgres").disposable


def test_everything_but_the_host_has_a_default(external: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "USER", "PASSWORD", "DB"):
        external.delenv(f"TEST_POSTGRES_{name}")
    external.setenv("TEST_CLICKHOUSE_HOST", "::1")
    external.setenv("TEST_POSTGRES_HOST", "127.0.0.1")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        external.setenv("TEST_CLICKHOUSE_HTTP_PORT", str(server.getsockname()[1]))
        endpoint = ExternalServices({}).endpoint("clickhouse", "events")
    assert endpoint.url == f"http://default@[::1]:{endpoint.port}/default"
    assert endpoint.ports == {"http": endpoint.port, "tcp": 9000}
    external.setenv("TEST_POSTGRES_PORT", "1")
    with pytest.raises(UnreachableServiceError, match=r"TEST_POSTGRES_HOST .* 127\.0\.0\.1:1.*refused.*docker compose"):
        find_services().endpoint("postgres")


@pytest.mark.parametrize(
    ("variable", "url", "kind"),
    [("TEST_HTTP_URL", "http://127.0.0.1:{}/api", "http"), ("TEST_WEBSOCKET_URL", "ws://127.0.0.1:{}/ws", "websocket")],
)
def test_urls_of_servers(alone: pytest.MonkeyPatch, variable: str, url: str, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        alone.setenv(variable, url.format(port))
        endpoint = find_services().endpoint(kind)
    assert (endpoint.url, endpoint.port) == (url.format(port), port)
    assert endpoint.websocket_url == (endpoint.url if kind == "websocket" else "")


@pytest.mark.parametrize(
    ("variable", "value", "kind", "message"),
    [
        (
            "TEST_REDIS_PORT",
            "http",
            "redis",
            r"TEST_REDIS_PORT='http' is not a whole number from 1 to 65535; .* a port",
        ),
        ("TEST_REDIS_PORT", "²", "redis", r"TEST_REDIS_PORT='²' is not a whole number from 1 to 65535"),
        ("TEST_REDIS_PORT", "0", "redis", r"TEST_REDIS_PORT='0' is not a whole number from 1 to 65535"),
        ("TEST_POSTGRES_PORT", "1" * 5000, "postgres", r"is not a whole number from 1 to 65535"),
        (
            "TEST_POSTGRES_PORT",
            "70000",
            "postgres",
            r"TEST_POSTGRES_PORT='70000' is not a whole number from 1 to 65535",
        ),
        ("TEST_HTTP_URL", "127.0.0.1:80", "http", r"TEST_HTTP_URL='127.0.0.1:80' is no URL .*http://HOST:PORT"),
        ("TEST_LLM_URL", "ws://127.0.0.1:80", "llm", r"TEST_LLM_URL='ws:.* is no URL"),
        ("TEST_WEBSOCKET_URL", "ws://a:b:c", "websocket", r"is no URL .* ws://HOST"),
    ],
)
def test_settings_that_mean_nothing(
    external: pytest.MonkeyPatch, variable: str, value: str, kind: str, message: str
) -> None:
    external.setenv(variable, value)
    with pytest.raises(SettingError, match=message):
        find_services().endpoint(kind)


def test_a_host_that_no_network_has(external: pytest.MonkeyPatch) -> None:
    external.setenv("TEST_REDIS_HOST", "x" * 70 + ".é")
    with pytest.raises(UnreachableServiceError, match=r"cannot be reached: .*label"):
        find_services().endpoint("redis")


def test_a_server_that_is_down_is_an_error_and_never_a_skip(
    external: pytest.MonkeyPatch, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        external.setenv("TEST_REDIS_PORT", str(server.getsockname()[1]))
    pytester.makepyfile("async def test_one(isolated_redis): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TEST_REDIS_HOST names a redis service at 127.0.0.1:*refused*unset TEST_REDIS_HOST*"])
