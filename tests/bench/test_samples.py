"""The arithmetic behind every row."""

from __future__ import annotations

import pytest

from bench.samples import Summary, paired_differences, paired_ratios, summarize


def test_summary_of_an_even_number_of_samples_lies_between_the_middle_two() -> None:
    assert summarize([4, 1, 3, 100]) == Summary(median=3.5, lowest=1, highest=100, count=4)


def test_no_samples_are_no_result() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarize([])


def test_ratios_pair_the_samples_of_a_round() -> None:
    # The machine was twice as slow in the second round; the ratio of medians would be moved by it, the pairs are not.
    assert paired_ratios([20, 40, 20], [10, 20, 10]) == [2, 2, 2]


def test_differences_pair_the_samples_of_a_round_and_may_be_negative() -> None:
    assert paired_differences([20, 45], [10, 50]) == [10, -5]


@pytest.mark.parametrize("combine", [paired_ratios, paired_differences])
def test_rounds_that_do_not_match_are_refused(combine: object) -> None:
    assert callable(combine)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        combine([1, 2], [1])


def test_a_ratio_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        paired_ratios([1], [0])
