import json
from unittest.mock import AsyncMock, MagicMock, patch

import httpx
import pytest
import respx

from app import rates


@pytest.fixture
def client():
    return rates.RatesClient("https://rates.example")


@respx.mock
async def test_a_rate(client):
    route = respx.get("https://rates.example/rates/USD").mock(return_value=httpx.Response(200, json={"rate": 1.1}))
    assert await client.rate("USD") == 1.1
    assert route.called


@respx.mock
async def test_an_unknown_currency():
    respx.get("https://rates.example/rates/XXX").respond(404)
    with pytest.raises(httpx.HTTPStatusError):
        await rates.RatesClient("https://rates.example").rate("XXX")


def test_the_latest():
    with respx.mock:
        respx.get("https://rates.example/v2/latest/USD", params={"base": "EUR"}) % httpx.Response(200, json={"rate": 2})
        assert rates.latest("USD") == 2


def test_it_is_published(respx_mock):
    route = respx_mock.post("https://api.rates.example/rates").mock(return_value=httpx.Response(201))
    assert rates.publish("USD", 3)
    assert route.call_count == 1
    assert json.loads(route.calls.last.request.content) == {"currency": "USD", "rate": 3}


@respx.mock
def test_a_status_that_is_gone(monkeypatch):
    monkeypatch.setenv("STATUS_URL", "https://status.example")
    respx.get("https://status.example/status").mock(side_effect=httpx.ConnectError)
    assert rates.status() == "gone"


@patch("app.rates.httpx.get")
def test_a_patched_method(get):
    get.return_value.json.return_value = {"rate": 4}
    get.return_value.status_code = 200
    assert rates.latest("USD") == 4
    get.assert_called_once_with("https://rates.example/v2/latest/USD", params={"base": "EUR"})


async def test_a_patched_client():
    with patch.object(httpx.AsyncClient, "get", new_callable=AsyncMock) as get:
        get.return_value = MagicMock(status_code=200, json=lambda: {"rate": 5})
        assert await rates.RatesClient("https://any.example").rate("USD") == 5
        get.assert_awaited_once()


@patch("httpx.get", side_effect=httpx.ConnectError("down"))
def test_a_patched_failure(get, monkeypatch):
    monkeypatch.setenv("STATUS_URL", "https://status.example")
    assert rates.status() == "gone"
