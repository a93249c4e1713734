"""Fakes of HTTP, and patched clients: the test's own server answers where the code can be told its address."""

from __future__ import annotations

import pytest

from tests.mocks.converting import convert

_HEAD = """import aiohttp
import httpx
import requests
import responses
import respx
from aioresponses import aioresponses

from app import rates

API = "https://rates.example"


class Reader:
    def __init__(self, base="https://reader.example"):
        self.base = base

    def read(self, number):
        return requests.get(self.base + f"/items/{number}", timeout=3).json()


def hard():
    return requests.get("https://hard.example/x").json()


async def fetch(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/a") as response:
            return await response.json()


def both():
    requests.get(rates.RATES_URL + "/a")
    requests.post(rates.settings.api_url + "/b")


"""


def _converted(body: str) -> str:
    result = convert(_HEAD + body)
    assert result.error == ""
    assert not result.left, result.left
    return result.after[result.after.index("async def fetch") :]


def test_responses() -> None:
    text = _converted("""@responses.activate
def test_it():
    responses.add(responses.GET, "https://reader.example/items/4", json={"id": 4}, status=200)
    assert Reader().read(4) == {"id": 4}
    assert len(responses.calls) == 1
    assert responses.calls[0].request.headers["Accept"] == "*/*"
""")
    assert text.endswith("""def test_it(isolated_http):
    isolated_http.answer("GET", "/items/4", json={"id": 4})
    assert Reader(base=isolated_http.url).read(4) == {"id": 4}
    assert len(isolated_http.requests) == 1
    assert isolated_http.requests[0].headers["accept"] == "*/*"
""")


def test_aioresponses() -> None:
    text = _converted("""async def test_it():
    with aioresponses() as fake:
        fake.get("https://rates.example/a", payload=[1], headers={"X-Page": "1"})
        assert await fetch(API) == [1]
""")
    assert text.endswith("""async def test_it(isolated_http):
    isolated_http.answer("GET", "/a", json=[1], headers={"X-Page": "1"})
    assert await fetch(isolated_http.url) == [1]
""")


def test_requests_mock() -> None:
    text = _converted("""def test_it(requests_mock):
    requests_mock.get(f"{API}/items/1", text="{}", status_code=201)
    assert Reader(API).read(1) == {}
    assert requests_mock.called
    assert requests_mock.last_request.method == "GET"
""")
    assert text.endswith("""def test_it(isolated_http):
    isolated_http.answer("GET", "/items/1", status=201, body="{}")
    assert Reader(isolated_http.url).read(1) == {}
    assert len(isolated_http.requests) > 0
    assert isolated_http.requests[-1].method == "GET"
""")


def test_a_base_url_of_the_fake_and_a_route_by_name() -> None:
    text = _converted("""async def test_it():
    with respx.mock(base_url="https://rates.example") as fake:
        route = fake.get("/rates/USD").respond(json={"rate": 1})
        assert await rates.RatesClient("https://rates.example").rate("USD") == 1
        assert route.called
        assert not fake.calls.last.request.content
""")
    assert '("GET", "/rates/USD") in [(each.method, each.path) for each in isolated_http.requests]' in text
    assert "assert not isolated_http.requests[-1].body" in text


def test_what_was_sent_is_asked_of_the_server() -> None:
    text = _converted("""@patch("app.rates.httpx.Client.post")
def test_it(post):
    post.return_value.status_code = 201
    assert rates.publish("USD", 2)
    post.assert_called_once_with("/rates", json={"currency": "USD", "rate": 2})
""")
    assert text.endswith("""def test_it(isolated_http, monkeypatch):
    monkeypatch.setattr("app.config.settings.api_url", isolated_http.url)
    isolated_http.answer("POST", "/rates", status=201)
    assert rates.publish("USD", 2)
    assert [(each.method, each.path) for each in isolated_http.requests] == [("POST", "/rates")]
    assert isolated_http.requests[-1].json() == {"currency": "USD", "rate": 2}
""")


def test_a_status_that_the_client_refuses() -> None:
    text = _converted("""@patch("httpx.get")
def test_it(get):
    get.return_value.raise_for_status.side_effect = httpx.HTTPStatusError("x", request=None, response=None)
    with pytest.raises(httpx.HTTPStatusError):
        rates.latest("USD")
""")
    assert 'isolated_http.answer("GET", "/v2/latest/USD", status=500)' in text


def test_any_of_several_requests_will_do() -> None:
    text = _converted("""@patch("httpx.get")
def test_it(get):
    get.return_value.json.return_value = {"rate": 2}
    assert rates.latest("USD") == 2
    get.assert_any_call("https://rates.example/v2/latest/USD", params={"base": "EUR"}, headers={"A": "1"})
""")
    assert (
        '    assert ("GET", "/v2/latest/USD") in [(each.method, each.path) for each in isolated_http.requests]\n'
        in text
    )
    assert '    assert {"base": "EUR"} in [each.params for each in isolated_http.requests]\n' in text
    assert '    assert "1" in [each.headers.get("a") for each in isolated_http.requests]\n' in text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param('@responses.activate\ndef test_it():\n    responses.get("https://hard.example/x", json=1)\n    assert hard() == 1\n',
                     "the address of https://hard.example is written into the code (test_one.py:", id="written into the code"),
        pytest.param('@patch("requests.get")\ndef test_it(get):\n    get.return_value.json = lambda: 1\n    assert hard() == 1\n',
                     "the address of https://hard.example is written into the code", id="patched and written into the code"),
        pytest.param('@responses.activate\ndef test_it():\n    responses.get("https://rates.example/v2/a")\n'
                     '    responses.post("https://api.rates.example/b")\n    assert both() is None\n',
                     "answers of several servers", id="several servers"),
        pytest.param('def test_it():\n    with respx.mock as fake:\n        fake.get("https://rates.example/v2/a", json__a=1)\n        assert both() is None\n',
                     "the answer depends on a pattern of the request", id="a pattern"),
        pytest.param('@respx.mock\ndef test_it():\n    respx.get("https://rates.example/v2/latest/A").mock(side_effect=answer)\n    assert rates.latest("A")\n',
                     "no server that is gone gives this failure", id="a function"),
        pytest.param('@respx.mock\ndef test_it():\n    respx.get("https://rates.example/v2/latest/A").respond(json={})\n    assert rates.latest("A")\n'
                     '    assert respx.calls[0].request.url == "x"\n',
                     "it cannot be asked of a server", id="the URL of a request"),
        pytest.param('@patch("httpx.get")\ndef test_it(get):\n    get.return_value.elapsed = 1\n    assert rates.latest("A")\n',
                     "this part of a response has no counterpart", id="a part of a response"),
        pytest.param('@patch("httpx.get", side_effect=httpx.ReadTimeout("x"))\ndef test_it(get):\n    assert rates.latest("A")\n',
                     "no server that is gone gives this failure", id="a time-out"),
        pytest.param('class Poster:\n    api = None\n\n    def post(self, link):\n        return requests.post(self.api, json={"link": link}).text\n\n\n'
                     '@patch("requests.post")\ndef test_it(post):\n    post.return_value.text = "up"\n    assert Poster().post("https://links.example") == "up"\n',
                     "nothing sets the address of the API", id="another URL in the test"),
        pytest.param('def twice():\n    return requests.get(API + "/a").json(), requests.get(API + "/b").json()\n\n\n'
                     '@patch("requests.get")\ndef test_it(get):\n    get.return_value.json.return_value = 1\n    assert twice() == (1, 1)\n',
                     "the code makes several requests, and one answer is for all", id="several requests"),
        pytest.param('def test_it(httpx_mock):\n    httpx_mock.add_response(url="https://rates.example/v2/latest/A", json={})\n    assert rates.latest("A")\n',
                     "fakes of pytest_httpx have no conversion", id="another library"),
        pytest.param('@pytest.fixture\ndef api():\n    with respx.mock as fake:\n        fake.get("https://rates.example/v2/latest/A")\n        yield fake\n\n\n'
                     'def test_it(api):\n    assert rates.latest("A")\n',
                     "a fixture installs the fake for its tests", id="a fixture"),
    ],
)  # fmt: skip
def test_it_is_left_with_the_reason(body: str, why: str) -> None:
    result = convert(_HEAD + body)
    assert result.error == ""
    assert result.after == result.before
    assert [why in each.why for each in result.left] == [True], result.left


def test_the_remedy_names_the_setting_to_make() -> None:
    result = convert(
        _HEAD + '@respx.mock\ndef test_it():\n    respx.get("https://hard.example/x")\n    assert hard() == {}\n'
    )
    assert 'monkeypatch.setattr("app.module.API_URL", isolated_http.url)' in result.left[0].remedy
