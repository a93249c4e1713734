"""Docstrings as Markdown."""

from __future__ import annotations

from docs_build.docstrings import as_markdown

_DOC = """Return ``it``; see docs/pytest.md.

    More of it.

    Args:
        name, other: What it is,
            in two lines.
        **options: More.

    Raises:
        ValueError: It is none.

    Returns:
        A thing.
    """


def test_sections_are_lists() -> None:
    assert as_markdown(_DOC).split("\n") == [
        "Return `it`; see [pytest.md](../pytest.md).",
        "",
        "More of it.",
        "",
        "Arguments:",
        "",
        "- `name`, `other`: What it is, in two lines.",
        "- `**options`: More.",
        "",
        "Raises:",
        "",
        "- `ValueError`: It is none.",
        "",
        "Returns: A thing.",
    ]


def test_nothing_is_nothing() -> None:
    assert as_markdown(None) == ""
