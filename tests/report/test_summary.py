"""Sums over a run: start-up of services, chains, caches."""

from __future__ import annotations

from typing import Any

from tests.report.events import EventFile, junit, service_case


def _chain(ready_ms: float, path: str) -> str:
    values = {"ready_ms": ready_ms, "critical_path": path, "program_cpu_ms": 100.0}
    return "".join(f'<property name="{name}" value="{value}"/>' for name, value in values.items())


def _run(events: EventFile, shard: int, ready_ms: float, path: str = "db", **fields: Any) -> None:
    values: dict[str, Any] = {"label": "//shop:db", "kind": "postgres", "started_ms": 1.0, "cpu_ms": 10.0}
    db = service_case("db", ready_ms=ready_ms, peak_mb=10 + shard, **values)
    events.result(
        "PASSED", {"test.xml": junit(services=db, chain=_chain(ready_ms + 1, path))}, numbers=(1, shard, 1), **fields
    )


def test_start_up_is_summed_by_service(events: EventFile) -> None:
    for shard in range(1, 11):
        _run(events, shard, shard * 10.0)
    dead = service_case("db", label="//shop:db", started_ms=1.0, result='<failure message="died"/>')
    events.result("FAILED", {"test.xml": junit(services=dead)}, numbers=(1, 11, 1))
    summary = events.report().summary
    (service,) = summary.services
    assert (service.label, service.kind, service.starts, service.failures) == ("//shop:db", "postgres", 11, 1)
    assert service.ready_ms == [10.0 * shard for shard in range(1, 11)]
    assert (service.median_ms, service.p90_ms) == (50.0, 90.0)
    assert (service.cpu_ms, service.peak_mb) == (100.0, 20.0)
    assert (summary.test_cpu_ms, summary.service_cpu_ms) == (1000.0, 100.0)


def test_the_slowest_service_comes_first_and_one_that_never_served_last(events: EventFile) -> None:
    services = [("a", 5.0), ("b", 50.0), ("c", None)]
    cases = "".join(service_case(name, label=f"//shop:{name}", ready_ms=time or "") for name, time in services)
    events.result("PASSED", {"test.xml": junit(services=cases)})
    b, a, c = events.report().summary.services
    assert (a.median_ms, b.median_ms, c.median_ms, c.p90_ms) == (5.0, 50.0, None, None)


def test_chains_by_how_many_test_actions_they_determined(events: EventFile) -> None:
    for shard, (ready_ms, path) in enumerate([(30.0, "db,web"), (10.0, "db,web"), (20.0, "db,web"), (99.0, "db")], 1):
        _run(events, shard, ready_ms, path)
    chains = [(chain.names, chain.actions, chain.median_ms, chain.most_ms) for chain in events.report().summary.chains]
    assert chains == [(["db", "web"], 3, 21.0, 31.0), (["db"], 1, 100.0, 100.0)]


def test_what_came_from_a_cache_is_counted_and_its_services_are_not(events: EventFile) -> None:
    _run(events, 1, 10.0, cachedLocally=True)
    _run(events, 2, 10.0, executionInfo={"cachedRemotely": True, "strategy": "remote cache hit"})
    _run(events, 3, 10.0, executionInfo={"cachedRemotely": True, "strategy": "disk cache hit"})
    _run(events, 4, 20.0)
    summary = events.report().summary
    caches = summary.caches
    assert (caches.actions, caches.local, caches.disk, caches.remote) == (4, 1, 1, 1)
    assert caches.saved_ms == 4500
    assert [service.ready_ms for service in summary.services] == [[20.0]]


def test_sums_are_the_same_under_every_python(events: EventFile) -> None:
    for shard in range(1, 4):
        db = service_case("db", label="//shop:db", started_ms=1.0, ready_ms=1.0, cpu_ms=0.1)
        chain = '<property name="program_cpu_ms" value="0.1"/>'
        events.result("PASSED", {"test.xml": junit(services=db, chain=chain)}, numbers=(1, shard, 1))
    summary = events.report().summary
    assert (summary.test_cpu_ms, summary.service_cpu_ms) == (0.3, 0.3)


def test_a_run_without_tests(events: EventFile) -> None:
    summary = events.report().summary
    assert (list(summary.services), list(summary.chains), summary.caches.actions) == ([], [], 0)
