"""What can go wrong between a test's client and the service that it talks to."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError

_SHOWN_BODY = 500


class HttpRequestError(RealServicesError):
    """A request that got no answer: refused, cut off, too slow, or not HTTP. Its cause is httpx's own exception."""


class HttpStatusError(RealServicesError):
    """An answer of another status than 2xx where the caller needs the content.

    Args:
        status: The status code.
        request: Method and URL.
        body: What the service answered.
        remedy: What to look at.
    """

    def __init__(self, status: int, request: str, body: str, remedy: str) -> None:
        super().__init__(f"{request} was answered with status {status}: {shown_body(body)}\n  {remedy}")
        self.status = status
        self.request = request
        self.body = body


class HttpBodyError(RealServicesError):
    """A successful answer whose content is not what its path promises."""


class WebSocketError(RealServicesError):
    """Base of what can go wrong with a WebSocket."""


class WebSocketConnectError(WebSocketError):
    """No connection came about."""


class WebSocketClosedError(WebSocketError):
    """The server closed the connection.

    Args:
        message: The whole explanation.
        code: The close code (RFC 6455, 7.4); 1006: the connection broke without one. None: there was no connection.
        reason: The server's words.
    """

    def __init__(self, message: str, code: int | None, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class WebSocketTimeoutError(WebSocketError, TimeoutError):
    """No message came in time."""


class WebSocketMessageError(WebSocketError):
    """A message that is not a JSON object in text."""


class LlmError(RealServicesError):
    """A language model's endpoint refused a request or broke off.

    Args:
        message: The whole explanation, with the server's own message.
        status: The status code, or 200 where a stream broke off.
        code: The server's own code of the error. Empty: it gave none.
    """

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def shown_body(body: str) -> str:
    """Return the start of an answer, as a message shows it."""
    if not body:
        return "(no content)"
    more = f"... ({len(body)} characters)" if len(body) > _SHOWN_BODY else ""
    return body[:_SHOWN_BODY] + more
