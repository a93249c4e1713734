"""Client of a language model behind an OpenAI-compatible endpoint: whole answers, streams, tool calls.

It speaks the protocol itself over `HttpClient`, so that a test needs no vendor's package.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from realservices.clients.addresses import shown_service
from realservices.clients.errors import HttpRequestError, LlmError, shown_body
from realservices.clients.http_client import HttpClient
from realservices.clients.llm_answers import ChatResult, ChunkCollector, read_completion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import httpx

    Message = dict[str, Any]

# A small model on a busy machine's processor takes its time.
_TIMEOUT_S = 120.0
_DATA = "data:"
_DONE = "[DONE]"


class LlmClient:
    """Asks a model.

    Args:
        base_url: Of the API, with its version: ``http://127.0.0.1:8080/v1``.
        api_key: Sent as ``Authorization: Bearer``. Empty: none.
        model: What to ask for. Empty: the first model that the server offers.
        service: The service's name, for messages.
        timeout_s: How long each pause within an answer may be.
    """

    def __init__(
        self, base_url: str, api_key: str = "", *, model: str = "", service: str = "", timeout_s: float = _TIMEOUT_S
    ) -> None:
        self.base_url = base_url
        self.model = model
        self._shown = shown_service(service, base_url)
        self._http = HttpClient(base_url, service=service, timeout_s=timeout_s)
        if api_key:
            self._http.tokens["access_token"] = api_key

    async def complete(self, prompt: str | Sequence[Message], **options: Any) -> str:
        """Return the text of the model's answer to a prompt, or to messages; see `chat`."""
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return (await self.chat(messages, **options)).text

    async def chat(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] | None = None, **options: Any
    ) -> ChatResult:
        """Return the model's answer.

        Args:
            messages: For example ``[{"role": "user", "content": "Hello"}]``.
            tools: Functions that the model may ask to be called, as in the API's reference.
            options: More for the request: ``model``, ``temperature``, ``max_tokens``, …

        Raises:
            LlmError: The server refused, or answered what is no completion.
            HttpRequestError: There was no answer.
        """
        response = await self._http.post("chat/completions", json=await self._body(messages, tools, options))
        content = self._json(response)
        try:
            return read_completion(content)
        except (LookupError, TypeError, AttributeError) as error:
            raise self._error(
                f"answered what is no chat completion ({type(error).__name__}: {error}): {shown_body(response.text)}",
                200,
            ) from None

    def stream(
        self, messages: str | Sequence[Message], tools: Sequence[dict[str, Any]] | None = None, **options: Any
    ) -> ChatStream:
        """Return an iterator over the pieces of text in the model's answer, as they come.

        After the last one `ChatStream.result` has the whole answer, with tool calls. Arguments as for `chat`.
        """
        asked = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return ChatStream(self, asked, tools, options)

    async def models(self) -> list[str]:
        """Return the names of the server's models."""
        content = self._json(await self._http.get("models"))
        return [entry["id"] for entry in content.get("data", [])]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _body(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] | None, options: dict[str, Any]
    ) -> dict[str, Any]:
        if "model" not in options and not self.model:
            self.model = await self._first_model()
        body = {"model": self.model, "messages": list(messages), **options}
        return {**body, "tools": list(tools)} if tools else body

    async def _first_model(self) -> str:
        offered = await self.models()
        if not offered:
            raise self._error("offers no model; name one: LlmClient(url, model=...)", 200)
        return offered[0]

    async def _open(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] | None, options: dict[str, Any]
    ) -> httpx.Response:
        body = {**await self._body(messages, tools, options), "stream": True}
        # Asked for by default: a test that counts tokens should not depend on how it reads the answer.
        body.setdefault("stream_options", {"include_usage": True})
        response = await self._http.request("POST", "chat/completions", json=body, stream=True)
        if not response.is_success:
            await response.aread()
            self._json(response)
        return response

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            content = json.loads(response.text)
        except ValueError:
            content = None
        if response.is_success and isinstance(content, dict):
            return content
        refusal = _refusal(content)
        said = refusal.get("message") or shown_body(response.text)
        what = "refused" if not response.is_success else "answered what is not a JSON object"
        raise self._error(f"{what} (status {response.status_code}): {said}", response.status_code, refusal.get("code"))

    def _error(self, what: str, status: int, code: object = None) -> LlmError:
        return LlmError(f"the language model {self._shown} {what}", status=status, code=str(code or ""))


class ChatStream:
    """One streamed answer: iterate over it once. Leaving early closes it with the client, or by `aclose`."""

    def __init__(
        self,
        client: LlmClient,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]] | None,
        options: dict[str, Any],
    ) -> None:
        self._client = client
        self._collector = ChunkCollector()
        self._ended = False
        self._pieces = self._read(messages, tools, options)

    @property
    def result(self) -> ChatResult:
        """The whole answer.

        Raises:
            LlmError: The stream has not been read to its end.
        """
        if not self._ended:
            raise self._client._error("has not ended its stream; read all of it before asking for the result", 200)
        return self._collector.result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Stop reading and give the connection back."""
        await self._pieces.aclose()  # type: ignore[attr-defined]

    async def _read(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] | None, options: dict[str, Any]
    ) -> AsyncIterator[str]:
        response = await self._client._open(messages, tools, options)
        try:
            async for data in _events(response):
                if data == _DONE:
                    break
                piece = self._collector.add(self._chunk(data))
                if piece:
                    yield piece
        finally:
            await response.aclose()
        if not self._collector.finish_reason:
            raise self._client._error(f"broke off its stream after {self._collector.result().text!r}", 200)
        self._ended = True

    def _chunk(self, data: str) -> dict[str, Any]:
        try:
            chunk = json.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise self._client._error(f"streamed what is not a JSON object: {shown_body(data)}", 200)
        if "error" in chunk:
            refusal = _refusal(chunk)
            raise self._client._error(
                f"ended its stream with an error: {refusal.get('message')}", 200, refusal.get("code")
            )
        return chunk


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    """Yield the data of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    data: list[str] = []
    async for line in _lines(response):
        if line.startswith(_DATA):
            data.append(line[len(_DATA) :].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    # Not by httpx's aiter_lines: it also parts lines at U+2028 and its like, which a model may well write.
    import httpx  # noqa: PLC0415 - loaded already, by the request

    rest = ""
    try:
        async for text in response.aiter_text():
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                yield line.removesuffix("\r")
    except httpx.TransportError as error:
        raise HttpRequestError(
            f"the stream of {response.request.url} broke: {type(error).__name__}: {error}"
        ) from error
    yield rest


def _refusal(content: Any) -> dict[str, Any]:
    """Return the error object of an answer, which some servers shorten to its message."""
    found = content.get("error") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {"message": found}
