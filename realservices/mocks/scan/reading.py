"""Read a Python file as Python does: PEP 263's encodings, a BOM; what cannot be read is told in words."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT_BYTES = 10 << 20
"""Larger files are data, and would take the memory that the scan promises not to use."""
_TOO_DEEP = "it is nested too deeply for Python's own parser or for this scan"


class UnreadableError(Exception):
    """A file that cannot be read or parsed; the message says why."""


def read_source(path: Path) -> str:
    """Return a file's text, decoded as Python would.

    Raises:
        UnreadableError: It cannot be read or decoded.
    """
    try:
        size = path.stat().st_size
        if size > SIZE_LIMIT_BYTES:
            raise UnreadableError(f"it has {size} bytes; the scan reads files up to {SIZE_LIMIT_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror or error}") from None
    return _decoded(content)


def _decoded(content: bytes) -> str:
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise UnreadableError(f"byte {error.start} is not {error.encoding}; save it as UTF-8") from None
    except (SyntaxError, LookupError) as error:
        hint = "; is it UTF-16?" if b"\0" in content else ""
        raise UnreadableError(f"its encoding is unknown: {error}{hint}") from None
    if "\0" in text:
        raise UnreadableError(f"it has null bytes, the first at {text.index(chr(0))}; is it UTF-16, or damaged?")
    return text


def _encoding(content: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    except SyntaxError:
        # Said also of lines without a declaration that are no UTF-8: then decoding says which byte is wrong.
        if b"coding" in b"".join(content.splitlines()[:2]) or b"\0" in content:
            raise
        return "utf-8"


def parse_source(text: str) -> ast.Module:
    """Return a text's syntax tree.

    Raises:
        UnreadableError: It is no Python that this version of Python can read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Such as invalid escapes: the project's own matter.
            return ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"line {error.lineno or 1}: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise UnreadableError(_TOO_DEEP) from None
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def too_deep() -> UnreadableError:
    """Return what is told of a file that parses, but whose tree is too deep to walk."""
    return UnreadableError(_TOO_DEEP)
