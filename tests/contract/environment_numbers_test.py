"""Whole numbers from variables."""

from __future__ import annotations

import pytest

from realservices.contract.environment_numbers import number_from
from realservices.contract.errors import ManifestError


@pytest.mark.parametrize(("text", "number"), [("", 5), ("0", 0), ("10", 10), ("007", 7)])
def test_a_number(monkeypatch: pytest.MonkeyPatch, text: str, number: int) -> None:
    monkeypatch.setenv("SOME_MB", text)
    assert number_from("SOME_MB", 5, 0, 10, "megabytes") == number


@pytest.mark.parametrize("text", ["²", "٣", "-1", "11", "1.5", "1e3", "nan", " 1", "9" * 5000])
def test_what_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_MB", text)
    with pytest.raises(ManifestError) as caught:
        number_from("SOME_MB", 5, 0, 10, "megabytes")
    assert str(caught.value) == (
        f"SOME_MB={text!r} is not a whole number of megabytes from 0 to 10; correct it, or unset it"
    )
