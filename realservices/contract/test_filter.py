"""`bazel test --test_filter`, as far as both sides speak of it."""

from __future__ import annotations

FILTER = "TESTBRIDGE_TEST_ONLY"
"""How Bazel hands it to a test program."""


def no_match(pattern: str, count: int) -> str:
    """Return what to say of a filter that selects nothing in any shard: no failure, as other targets may be meant."""
    return f"--test_filter={pattern} selects none of the {count} tests of this target, in no shard"
