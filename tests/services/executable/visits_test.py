"""A py_binary with a Redis as a service, the way a user declares it; run whole, sharded, and without a network."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import pytest


def _get(path: str) -> dict[str, Any]:
    with urllib.request.urlopen(os.environ["REALSERVICES_VISITS_URL"] + path, timeout=10) as answer:
        content: dict[str, Any] = json.load(answer)
        return content


@pytest.mark.parametrize("path", ["/a", "/b"])
def test_the_server_counts_in_its_redis(path: str) -> None:
    assert [_get(path)["visits"] for _ in range(3)] == [":1", ":2", ":3"]


def test_it_was_given_the_address_of_its_redis_and_its_file() -> None:
    answer = _get("/c")
    assert answer["redis_url"] == os.environ["REALSERVICES_COUNTERS_URL"]
    assert answer["greeting"] == "hello from a runfile"


def test_the_tests_own_environment_names_the_port() -> None:
    port = os.environ["REALSERVICES_VISITS_HTTP_PORT"]
    assert os.environ["VISITS_PORT"] == port
    assert os.environ["REALSERVICES_VISITS_URL"] == f"http://127.0.0.1:{port}"
