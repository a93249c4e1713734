"""Targets: shards, attempts and runs put together, and those that never ran."""

from __future__ import annotations

from realservices.report.report_model import Target
from tests.report.events import LABEL, EventFile, junit, service_case

_FAILS = '<testcase classname="shop" name="total"><failure message="assert 0 == 3"/></testcase>'
_DEAD = service_case("db", result='<failure message="was killed by SIGKILL"/>')


def _target(events: EventFile) -> Target:
    (target,) = events.report().targets
    return target


def test_a_target_that_passed_at_the_second_attempt_is_flaky(events: EventFile) -> None:
    events.result("FAILED", {"test.xml": junit(cases=_FAILS)}, numbers=(1, 1, 1))
    events.result("PASSED", numbers=(1, 1, 2))
    events.summary("FLAKY")
    target = _target(events)
    assert (target.status, target.why) == ("flaky", "shop.total: assert 0 == 3")
    # One attempt follows the other: the build waits for both.
    assert target.duration_ms == 3000


def test_a_flaky_result_from_a_cache_is_still_flaky(events: EventFile) -> None:
    events.result("FLAKY", cachedLocally=True)
    events.summary("FLAKY")
    target = _target(events)
    assert (target.status, target.why) == ("flaky", "it was flaky when it was run; this result came from a cache")


def test_a_target_that_failed_at_every_attempt_is_not_flaky(events: EventFile) -> None:
    for attempt in (1, 2, 3):
        events.result("FAILED", numbers=(1, 1, attempt))
    events.summary("FAILED")
    assert _target(events).status == "failed"


def test_the_last_attempt_says_how_a_target_failed(events: EventFile) -> None:
    events.result("FAILED", {"test.xml": junit(cases=_FAILS)}, numbers=(1, 1, 1))
    events.result("FAILED", {"test.xml": junit(services=_DEAD)}, numbers=(1, 1, 2))
    events.summary("FAILED")
    assert _target(events).status == "service_failed"


def test_the_worst_shard_counts_and_shards_run_side_by_side(events: EventFile) -> None:
    events.result("PASSED", numbers=(1, 3, 1), testAttemptDuration="4s", cachedLocally=True)
    events.result("FAILED", {"test.xml": junit(services=_DEAD)}, numbers=(1, 2, 1))
    events.result("FAILED", {"test.xml": junit(cases=_FAILS)}, numbers=(1, 1, 1))
    events.summary("FAILED")
    target = _target(events)
    assert (target.status, target.why) == ("failed", "shop.total: assert 0 == 3")
    assert (target.shards, target.cached, target.duration_ms) == (3, 1, 4000)
    assert [attempt.shard for attempt in target.attempts] == [1, 2, 3]


def test_runs_of_which_one_failed(events: EventFile) -> None:
    events.result("PASSED", numbers=(1, 1, 1))
    events.result("TIMEOUT", numbers=(2, 1, 1))
    events.summary("FAILED")
    assert _target(events).status == "timed_out"


def test_runs_that_bazel_calls_flaky(events: EventFile) -> None:
    # --runs_per_test_detects_flakes
    events.result("PASSED", numbers=(1, 1, 1))
    events.result("FAILED", numbers=(2, 1, 1))
    events.summary("FLAKY")
    assert _target(events).status == "flaky"


def test_a_target_in_two_configurations_is_two(events: EventFile) -> None:
    for configuration, status in (("c", "PASSED"), ("d", "FAILED")):
        events.result(status, configuration=configuration)
        events.summary(status, configuration=configuration)
    assert [(target.label, target.status) for target in events.report().targets] == [
        (LABEL, "passed"),
        (LABEL, "failed"),
    ]


def test_what_is_known_of_a_target(events: EventFile) -> None:
    events.configured("@@//shop:cart_test")
    events.completed(success=True, testTimeout="300s")
    events.result("PASSED")
    events.summary("PASSED")
    target = _target(events)
    assert (target.label, target.kind, target.size, target.timeout_s) == (LABEL, "py_test", "SMALL", 300)


def test_a_target_that_was_not_built(events: EventFile) -> None:
    events.configured()
    events.completed(failureDetail={"message": "cc failed: no such compiler\n\nUse --sandbox_debug"})
    target = _target(events)
    assert (target.status, target.why) == ("not_built", "cc failed: no such compiler")


def test_a_target_that_does_not_go_with_the_platform_is_skipped(events: EventFile) -> None:
    events.configured()
    events.aborted(LABEL, "SKIPPED", "Target build was skipped.")
    assert (_target(events).status, _target(events).why) == ("skipped", "Target build was skipped.")
    assert events.report().build_failures == []


def test_a_target_whose_results_never_came_is_not_taken_for_passed(events: EventFile) -> None:
    events.configured()
    events.completed(success=True)
    assert _target(events).status == "not_finished"


def test_a_target_that_bazel_gave_no_verdict_on_is_not_finished(events: EventFile) -> None:
    events.result("PASSED", numbers=(1, 1, 1))
    assert (_target(events).status, _target(events).why) == ("not_finished", "not all of its results are there")


def test_a_failure_of_which_no_result_is_there(events: EventFile) -> None:
    events.result("PASSED", numbers=(1, 1, 1))
    events.summary("FAILED")
    assert _target(events).status == "failed"


def test_targets_that_are_no_tests_are_left_out(events: EventFile) -> None:
    events.completed("//shop:library", success=True)
    assert list(events.report().targets) == []


def test_an_action_that_failed_is_told_with_what_it_said(events: EventFile) -> None:
    (events.directory / "stderr-1").write_text("no such compiler\n", encoding="utf-8")
    failure = {"message": "cc failed: exit 1\n\nUse --sandbox_debug"}
    action = {"type": "CppCompile", "exitCode": 1, "failureDetail": failure}
    for uri in ((events.directory / "stderr-1").as_uri(), ""):
        events.event(
            {"actionCompleted": {"label": "//shop:lib"}},
            action={**action, "stderr": {"uri": uri}, "label": "//shop:lib"},
        )
        action["type"] = "CppLink"
    compiled, linked = events.report().build_failures
    assert (compiled.label, compiled.what, compiled.message) == ("//shop:lib", "CppCompile", "cc failed: exit 1")
    assert compiled.log is not None
    assert compiled.log.text == "no such compiler\n"
    assert linked.log is None


def test_a_test_action_that_failed_is_no_failure_of_the_build(events: EventFile) -> None:
    events.event({"actionCompleted": {"label": LABEL}}, action={"type": "TestRunner", "exitCode": 1})
    assert events.report().build_failures == []


def test_a_target_that_could_not_be_analysed(events: EventFile) -> None:
    events.aborted("//shop:cycle", "ANALYSIS_FAILURE")
    (failure,) = events.report().build_failures
    assert (failure.label, failure.what) == ("//shop:cycle", "analysis failure")
    assert failure.message == "Bazel's console output says why"
