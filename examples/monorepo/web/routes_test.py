"""Which function answers which request."""

from __future__ import annotations

import pytest

from web.json_http import HttpError, Request, Response
from web.routes import Routes


async def of_user(request: Request, user: int) -> Response:
    return Response(content={"user": user, "method": request.method})


async def of_two(_: Request, first: int, second: int) -> Response:
    return Response(content={"numbers": [first, second]})


ROUTES = Routes(
    {
        ("GET", "/users/{id}"): of_user,
        ("PUT", "/users/{id}"): of_user,
        ("GET", "/users/{id}/threads/{id}"): of_two,
    }
)


def asked(method: str, path: str) -> Request:
    return Request(method=method, path=path, query={}, headers={}, body=b"")


async def test_number_in_the_path_is_an_argument() -> None:
    assert (await ROUTES.answer(asked("GET", "/users/7"))).content == {"user": 7, "method": "GET"}
    assert (await ROUTES.answer(asked("PUT", "/users/8"))).content == {"user": 8, "method": "PUT"}
    assert (await ROUTES.answer(asked("GET", "/users/7/threads/8"))).content == {"numbers": [7, 8]}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/users",
        "/users/",
        "/users/ada",
        "/users/-1",
        "/users/1.0",
        "/users/²",
        "/users/7/",
        "/users/" + "9" * 19,
    ],
)
async def test_any_other_path_is_not_found(path: str) -> None:
    with pytest.raises(HttpError) as refusal:
        await ROUTES.answer(asked("GET", path))
    assert refusal.value.response.status == 404


async def test_other_method_is_refused_with_those_that_are_allowed() -> None:
    with pytest.raises(HttpError) as refusal:
        await ROUTES.answer(asked("DELETE", "/users/7"))
    assert refusal.value.response.status == 405
    assert refusal.value.response.headers == {"Allow": "GET, PUT"}
