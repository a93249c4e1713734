"""A test is converted whole and right, or it is left and listed: forms that were converted wrongly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mocks.converting import convert

if TYPE_CHECKING:
    from realservices.mocks.convert.results import FileResult


def left(body: str, why: str) -> FileResult:
    """Assert that the one test of a file stays as it is, and is listed with a reason."""
    result = convert(body)
    assert result.error == ""
    assert result.after == result.before
    assert [why in each.why for each in result.left] == [True], result.left
    return result


def test_a_patcher_that_is_started_by_hand_is_left() -> None:
    left(
        """class TestRecall:
    def setup_method(self):
        self.patcher = patch("app.cache.client")
        self.client = self.patcher.start()

    def teardown_method(self):
        self.patcher.stop()

    def test_recall(self):
        self.client.get.return_value = b"1"
        assert cache.recall("x") == "1"
""",
        "a patcher is started by hand",
    )
