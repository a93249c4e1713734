"""The servers that tests outside of Bazel are run with: found as the session finds them, started, and asked once."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from realservices.cli.checks.finding import Finding, error, warning
from realservices.cli.checks.scratch_directory import scratch_directory
from realservices.contract.errors import RealServicesError
from realservices.host.unpacked_templates import free_bytes
from realservices.kinds.registry import find, load, names
from realservices.sources.declared_kind import declared_kind
from realservices.sources.errors import MissingServiceError
from realservices.system.directory_safety import SHARED_MEMORY, SHORT_BASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.kinds.kind import Kind

_SHOWN_LINES = 5
_ROOM_BYTES = 128 << 20


def check_programs() -> list[Finding]:
    """Start a server of each kind that is tried alone, and ask it for its version."""
    return [_check(kind) for kind in map(find, names()) if kind.trial]


def _check(described: Kind) -> Finding:
    kind, title = described.name, described.title
    identity = f"server.{kind}", title
    try:
        program = declared_kind(kind).find_program()
    except MissingServiceError:
        if not described.is_default:
            return Finding(*identity, "none found; only a project that declares one needs it")
        return warning(
            *identity, f"none found: no wheel, no REALSERVICES_{kind.upper()}, none of the machine's own",
            meaning=f"Plain pytest cannot start {title}: tests that need it skip, unless TEST_{kind.upper()}_HOST "
            "names one. bazel test brings its own.",
            remedy=f"pip install 'rules-realservices[{kind}]'",
        )  # fmt: skip
    except RealServicesError as wrong:
        return _unusable(identity, kind, str(wrong))
    begin = time.monotonic()
    try:
        with scratch_directory(*_bases()) as directory:
            version = load(described, described.trial)(program, directory)
    except (OSError, RealServicesError) as failed:
        return _unusable(identity, kind, f"{program} does not work: {_last_lines(str(failed))}")
    elapsed_ms = (time.monotonic() - begin) * 1000
    return Finding(*identity, f"{version} started and answered in {elapsed_ms:.0f} ms ({program})")


def _bases() -> Sequence[str]:
    # A new cluster is 40 MB.
    has_room = os.access(SHARED_MEMORY, os.W_OK) and free_bytes(SHARED_MEMORY) > _ROOM_BYTES
    return [SHARED_MEMORY, *SHORT_BASES] if has_room else SHORT_BASES


def _unusable(identity: tuple[str, str], kind: str, found: str) -> Finding:
    return error(
        *identity, found,
        meaning=f"Plain pytest starts this one, and tests that need {kind} fail. bazel test brings its own.",
        remedy=f"If the lines above are well: pip install --force-reinstall 'rules-realservices[{kind}]', or name "
        f"another one in REALSERVICES_{kind.upper()}",
    )  # fmt: skip


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-_SHOWN_LINES:])
