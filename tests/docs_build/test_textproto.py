"""Textproto: fields, messages, escapes, and text that is none."""

from __future__ import annotations

import pytest

from docs_build.textproto import one, parse


def test_fields_and_messages() -> None:
    found = parse('rule {\n  name: "a"\n  attribute {\n    type: LABEL\n  }\n}\nrule {\n  name: "b"\n}\n')
    assert found == {"rule": [{"name": ["a"], "attribute": [{"type": ["LABEL"]}]}, {"name": ["b"]}]}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"a\nb", "a\nb"),
        (r"\"it\'s\" \\", '"it\'s" \\'),
        (r"\342\200\246", "…"),
        (r"\303\242\302\200\302\246", "…"),  # Bazel 7: the bytes of UTF-8 as characters.
    ],
)
def test_escapes(written: str, text: str) -> None:
    assert one(parse(f'doc: "{written}"'), "doc") == text


def test_a_field_that_is_not_there_is_empty() -> None:
    assert one({}, "doc") == ""


@pytest.mark.parametrize("text", ["rule {", 'name: "a', "?"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no textproto at character"):
        parse(text)
