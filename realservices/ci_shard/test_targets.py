"""The test targets of a workspace, as `bazel query` knows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from realservices.ci_shard.plan import TestTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.ci_shard.bazel_query import Bazel

_ATTRIBUTES = ("services", "shard_count", "size", "tags")


def find_targets(bazel: Bazel, patterns: Sequence[str], *, within: str = "") -> list[TestTarget]:
    """Return the tests that ``bazel test PATTERNS`` would run.

    Args:
        bazel: Whom to ask.
        patterns: Target patterns; those that begin with ``-`` take away, as they do in Bazel.
        within: A query expression: only what is in it.
    """
    wanted = " + ".join(pattern for pattern in patterns if not pattern.startswith("-")) or "//..."
    taken_away = " + ".join(pattern[1:] for pattern in patterns if pattern.startswith("-"))
    expression = f"tests({wanted})" + (f" except tests({taken_away})" if taken_away else "")
    expression = f"({expression}) intersect {within}" if within else expression
    options = ("--output=streamed_jsonproto", f"--proto:output_rule_attrs={','.join(_ATTRIBUTES)}")
    # What depends on a file is sought in all that tests use, tools too. One that cannot be fetched has not changed.
    lines = bazel.query(expression, *options, may_lack=bool(within)).splitlines()
    return [target for target, is_manual in map(_read, lines) if not is_manual or target.label in patterns]


def canonical(label: str) -> str:
    """Return a label as ``bazel query`` writes it, also if a build event file has it with ``@@``."""
    return label[label.index("//") :] if label.startswith(("@//", "@@//")) else label


def _read(line: str) -> tuple[TestTarget, bool]:
    rule = json.loads(line)["rule"]
    attributes = dict(_attributes(rule.get("attribute", ())))
    target = TestTarget(
        canonical(rule["name"]),
        size=attributes.get("size") or "medium",
        shards=max(1, attributes.get("shard_count") or 1),
        services=len(attributes.get("services") or ()),
    )
    return target, "manual" in (attributes.get("tags") or ())


def _attributes(found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for each in found:
        for key in ("stringListValue", "stringValue", "intValue"):
            if key in each:
                yield each["name"], each[key]
