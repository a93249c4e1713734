"""What is measured of processes, when, and what happens without psutil."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from realservices.optimization.machine_resources import MissingPsutilError, this_machine
from realservices.optimization.monitor import Measured, PerformanceMonitor
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable


def _monitor(interval_s: float = 3600.0) -> PerformanceMonitor:
    return PerformanceMonitor(find_services().control, interval_s)


def test_processes_of_services_are_measured() -> None:
    usage = _monitor().sample()
    services = find_services()
    expected = {"this process", *services.names("postgres"), *services.names("redis")}
    assert set(usage) == expected
    assert usage["this process"].processes == 1
    postgres = usage[services.names("postgres")[0]]
    assert postgres.processes > 1  # The server and what it has forked.
    for name, used in usage.items():
        assert used.rss_mb > 1, name
    assert usage["this process"].cpu_s > 0


async def test_work_of_a_service_shows(isolated_database: Any) -> None:
    monitor, (name,) = _monitor(), find_services().names("postgres")
    await isolated_database.execute("SELECT 1")
    before = monitor.sample()[name].cpu_s
    deadline = time.monotonic() + 30
    while monitor.sample()[name].cpu_s <= before:
        assert time.monotonic() < deadline
        await isolated_database.fetchval("SELECT sum(i) FROM generate_series(1, 300000) AS i")


def test_nothing_runs_between_samples() -> None:
    threads = threading.active_count()
    monitor = _monitor()
    monitor.sample()
    assert threading.active_count() == threads


def test_environments_are_sampled_when_the_last_sample_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    for interval_s, expected in ((3600.0, 1), (0.0, 3)):
        monitor, samples = _monitor(interval_s), 0
        sample = monitor.sample

        def counted(sample: Callable[[], Any] = sample) -> Any:
            nonlocal samples
            samples += 1
            return sample()

        monkeypatch.setattr(monitor, "sample", counted)
        for _ in range(3):
            monitor.environment_ended(Measured("test"))
        assert samples == expected
        assert monitor.times()["use"].count == 3


def test_peaks_are_seen_by_whoever_asks_for_samples() -> None:
    monitor = _monitor()
    usual = monitor.sample()["this process"].rss_mb
    with monitor.sampling(interval_s=0.005):
        ballast = bytearray(64 * 2**20)
        ballast[::4096] = b"x" * len(ballast[::4096])
        deadline = time.monotonic() + 30
        while monitor._peak_rss_mb["this process"] < usual + 50:
            assert time.monotonic() < deadline
        del ballast
    assert monitor.report()["processes"]["this process"]["peak_rss_mb"] > usual + 50


def test_waiting_is_not_set_up() -> None:
    measured = Measured("test")
    with measured.setting_up():
        measured.wait_s += 1000.0
    assert measured.set_up_s < 0
    assert measured.wait_s == 1000.0


def test_machine_has_cpus_and_memory() -> None:
    machine = this_machine()
    assert machine.cpus >= 1
    assert machine.free_bytes > 2**20


def test_container_with_less_memory_than_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("realservices.system.memory._CONTAINER", str(tmp_path))
    whole = this_machine().free_bytes
    (tmp_path / "memory.max").write_text("max\n")
    assert this_machine().free_bytes > whole / 2
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert this_machine().free_bytes == 3000000


def test_without_psutil_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(MissingPsutilError, match=r"needs psutil .*pip install psutil.*real_service_test"):
        _monitor().sample()
