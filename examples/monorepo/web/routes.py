"""Which function answers which request: method and path, where `{id}` in a path stands for a number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from web.json_http import HttpError, Request, Response

Answer = Callable[..., Awaitable[Response]]


class Routes:
    """Finds the function for a request."""

    def __init__(self, answers: Mapping[tuple[str, str], Answer]) -> None:
        """Keep the table.

        Args:
            answers: by method and path. Each takes the request, and a number for every `{id}` of its path.
        """
        self._answers = {(method, tuple(path.split("/"))): answer for (method, path), answer in answers.items()}

    async def answer(self, request: Request) -> Response:
        """Call what answers a request.

        Raises:
            HttpError: nothing does (404), or not by this method (405).
        """
        parts = request.path.split("/")
        allowed = []
        for (method, pattern), answer in self._answers.items():
            numbers = _match(pattern, parts)
            if numbers is not None:
                if method == request.method:
                    return await answer(request, *numbers)
                allowed.append(method)
        if allowed:
            only = ", ".join(allowed)
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, f"only {only} here", code="wrong_method", Allow=only)
        raise HttpError(HTTPStatus.NOT_FOUND, "no such path", code="not_found")


def unavailable(cause: Exception) -> HttpError:
    """Make the answer for while something behind a server is out of reach."""
    message = f"a service that this one needs cannot be reached ({type(cause).__name__}); try again later"
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="unavailable")


def _match(pattern: tuple[str, ...], parts: list[str]) -> list[int] | None:
    if len(pattern) != len(parts):
        return None
    numbers = []
    for expected, part in zip(pattern, parts, strict=True):
        if expected != "{id}":
            if part != expected:
                return None
        elif not (part.isascii() and part.isdigit() and len(part) <= 18):  # what fits PostgreSQL's bigint
            return None
        else:
            numbers.append(int(part))
    return numbers
