"""Bazel's execution log, `--execution_log_json_file`: one JSON object after another, each an action that was run.

Source: src/main/protobuf/spawn.proto of Bazel, message SpawnExec. Of an action all counts that is part of its key in
the remote cache: command, environment, platform and inputs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.actions.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class Name:
    """What tells actions of a log apart.

    Attributes:
        target: Label of the target that has declared it.
        mnemonic: What kind of action it is.
        output: Its first output.
    """

    target: str
    mnemonic: str
    output: str

    def __str__(self) -> str:
        """Return it as a message has it."""
        return f"{self.target} ({self.mnemonic})"


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    Attributes:
        command: Its words.
        environment: Variables.
        platform: Execution properties.
        inputs: By path, the content's digest, or the link's target.
        outputs: Likewise.
        is_cached: Whether its result came from a cache.
    """

    name: Name
    command: tuple[str, ...]
    environment: dict[str, str]
    platform: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]
    is_cached: bool

    @property
    def key(self) -> str:
        """Return a digest of all that makes the key in the cache."""
        parts = [self.command, *(sorted(part.items()) for part in (self.environment, self.platform, self.inputs))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_log(path: Path) -> Iterator[Action]:
    """Yield the actions of a log.

    Raises:
        LogError: It cannot be read, or is no such log.
    """
    try:
        for record in _records(path):
            yield _action(record)
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror or error}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LogError(
            f"{path} is no execution log in JSON ({type(error).__name__}: {error}); Bazel writes one with "
            "--execution_log_json_file=FILE (--execution_log_compact_file is another format)"
        ) from None


def _records(path: Path) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    text, size = "", _CHUNK_CHARACTERS
    with path.open(encoding="utf-8") as file:
        while chunk := file.read(size):
            text += chunk
            position = 0
            while (start := _next(text, position)) < len(text):
                try:
                    record, position = decoder.raw_decode(text, start)
                except json.JSONDecodeError:
                    break
                yield record
            text = text[position:]
            size = max(_CHUNK_CHARACTERS, len(text))  # An object may be longer than a chunk.
    if text.strip():
        decoder.decode(text)


def _next(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _action(record: dict[str, Any]) -> Action:
    outputs = [*record["listedOutputs"], ""]
    return Action(
        Name(record.get("targetLabel", ""), record["mnemonic"], min(filter(None, outputs), default="")),
        tuple(record["commandArgs"]),
        _values(record.get("environmentVariables", ())),
        _values(record.get("platform", {}).get("properties", ())),
        _files(record["inputs"]),
        _files(record.get("actualOutputs", ())),
        bool(record.get("cacheHit")),
    )


def _values(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in pairs}


def _files(files: list[dict[str, Any]]) -> dict[str, str]:
    return {file["path"]: file.get("symlinkTargetPath") or file.get("digest", {}).get("hash", "") for file in files}
