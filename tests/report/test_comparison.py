"""This run beside a previous one."""

from __future__ import annotations

from realservices.report.previous_run import compare, outcomes


def test_failures_flakes_and_targets_that_come_and_go() -> None:
    before = {
        "//a": ("passed", 1.0),
        "//b": ("failed", 1.0),
        "//c": ("timed_out", 1.0),
        "//d": ("flaky", 1.0),
        "//e": ("passed", 1.0),
        "//gone": ("failed", 1.0),
    }
    after = {
        "//a": ("service_failed", 1.0),
        "//b": ("passed", 1.0),
        "//c": ("failed", 1.0),
        "//d": ("flaky", 1.0),
        "//e": ("flaky", 1.0),
        "//new": ("failed", 1.0),
    }
    found = compare(before, after, 5.0)
    assert found.started_epoch_ms == 5.0
    assert found.new_failures == ["//a", "//new"]
    assert found.still_failing == ["//c"]
    assert found.fixed == ["//b"]
    assert found.new_flaky == ["//e"]
    assert (found.added, found.removed) == (["//new"], ["//gone"])


def test_slower_needs_a_quarter_and_half_a_second() -> None:
    before = {"//a": 1000.0, "//b": 100.0, "//c": 10_000.0, "//d": 2000.0, "//e": 5000.0}
    after = {"//a": 1500.0, "//b": 500.0, "//c": 12_000.0, "//d": 1000.0, "//e": 9000.0}
    found = compare(
        {label: ("passed", time) for label, time in before.items()},
        {label: ("timed_out" if label == "//e" else "passed", time) for label, time in after.items()},
        0.0,
    )
    assert [(one.label, one.before_ms, one.after_ms) for one in found.slower] == [("//a", 1000.0, 1500.0)]
    assert [(one.label, one.before_ms, one.after_ms) for one in found.faster] == [("//d", 2000.0, 1000.0)]


def test_of_several_configurations_the_worst_counts() -> None:
    assert outcomes([("//a", "passed", 5.0), ("//a", "failed", 1.0), ("//a", "flaky", 2.0)]) == {"//a": ("failed", 5.0)}
