"""What environments cost: times of each, CPU and memory of this process and of its services.

Nothing runs between samples, unless `PerformanceMonitor.sampling` is asked for. psutil is imported at the first sample.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.control.client import BlockingServiceControl, ControlError
from realservices.optimization.machine_resources import MissingPsutilError, load_psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = "this process"
# Enough for percentiles; a suite of any length takes no more memory than this.
_KEPT = 1000


class Measured:
    """The times of one environment, as they are measured.

    Attributes:
        test_id: The test's name.
        wait_s: Waiting for its turn: for the environment, and for a connection.
        set_up_s: Getting its resources, without waiting.
        tear_down_s: Giving them back.
        entered: When it began, monotonic.
    """

    def __init__(self, test_id: str) -> None:
        self.test_id = test_id
        self.wait_s = self.set_up_s = self.tear_down_s = 0.0
        self.entered = time.monotonic()

    @contextlib.contextmanager
    def setting_up(self) -> Iterator[None]:
        """Count the time within as set-up, except for waiting."""
        begin, waited = time.monotonic(), self.wait_s
        try:
            yield
        finally:
            self.set_up_s += time.monotonic() - begin - (self.wait_s - waited)


CURRENT_TEST: contextvars.ContextVar[Measured] = contextvars.ContextVar("realservices_measured")


def current_test() -> Measured:
    """Return what is measured of the running environment; of code that runs in none, a measure that nobody reads."""
    return CURRENT_TEST.get(None) or Measured("a test without an environment")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one kind of time, over the last 1,000 environments.

    Attributes:
        count: How many there were in all.
        mean_ms, p95_ms, max_ms: Of the last ones.
    """

    count: int
    mean_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What some processes use.

    Attributes:
        processes: How many they are.
        cpu_s: CPU time that they have used since they started, all together.
        rss_mb: Memory that they have in use; what they share counts for each.
    """

    processes: int
    cpu_s: float
    rss_mb: float


class PerformanceMonitor:
    """Measures for one process.

    Args:
        control: Path of the control socket of the process that runs the services; "": it is not known.
        interval_s: How old the numbers of services' processes may be.
    """

    def __init__(self, control: str, interval_s: float) -> None:
        self._control = control
        self._interval_s = interval_s
        self._times: dict[str, deque[float]] = {
            kind: deque(maxlen=_KEPT) for kind in ("wait", "set_up", "use", "tear_down")
        }
        self._count = 0
        self._pids: dict[str, int] = {}
        self._usage: dict[str, Usage] = {}
        self._peak_rss_mb: dict[str, float] = {}
        self._sampled_at: float | None = None
        self._lock = threading.Lock()

    def environment_ended(self, measured: Measured) -> None:
        """Take an environment's times, and a sample where the last one is old."""
        used_s = time.monotonic() - measured.entered - measured.set_up_s - measured.tear_down_s - measured.wait_s
        values = {
            "wait": measured.wait_s,
            "set_up": measured.set_up_s,
            "use": max(0.0, used_s),
            "tear_down": measured.tear_down_s,
        }
        with self._lock:
            self._count += 1
            for kind, value in values.items():
                self._times[kind].append(value)
        if self._sampled_at is None or time.monotonic() - self._sampled_at > self._interval_s:
            with contextlib.suppress(MissingPsutilError):  # A reader of the samples gets the error.
                self.sample()

    def sample(self) -> dict[str, Usage]:
        """Look at the processes now; return what they use, by service, and of ``this process``."""
        psutil = load_psutil()
        self._sampled_at = time.monotonic()
        usage = {_OWN: _usage([psutil.Process()], psutil)}
        for name, pid in self._service_pids(psutil).items():
            try:
                root = psutil.Process(pid)
                usage[name] = _usage([root, *root.children(recursive=True)], psutil)
            except psutil.Error:
                continue  # It ended just now.
        with self._lock:
            self._usage = usage
            for name, used in usage.items():
                self._peak_rss_mb[name] = max(used.rss_mb, self._peak_rss_mb.get(name, 0.0))
        return usage

    @contextlib.contextmanager
    def sampling(self, interval_s: float = 0.1) -> Iterator[None]:
        """Sample regularly within the block, in a thread: for peaks that lie between environments."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(interval_s):
                self.sample()

        thread = threading.Thread(target=run, name="realservices-monitor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def times(self) -> dict[str, Statistics]:
        """Return what environments took, by ``wait``, ``set_up``, ``use`` and ``tear_down``."""
        with self._lock:
            return {kind: _statistics(list(values), self._count) for kind, values in self._times.items()}

    def report(self) -> dict[str, Any]:
        """Return all of it, fit for JSON."""
        self.sample()
        times = {kind: _fields(statistics) for kind, statistics in self.times().items()}
        with self._lock:
            processes = {
                name: {**_fields(used), "peak_rss_mb": self._peak_rss_mb[name]} for name, used in self._usage.items()
            }
        return {"environments": times, "processes": processes}

    def _service_pids(self, psutil: Any) -> dict[str, int]:
        """Return the process of each service; asked for again when one has ended."""
        is_known = self._pids and all(psutil.pid_exists(pid) for pid in self._pids.values())
        if self._control and not is_known:
            try:
                status = BlockingServiceControl(self._control).status()
            except ControlError:
                return {}  # The process that runs the services is ending; a measurement must not be what fails.
            self._pids = {name: each.pid for name, each in status.items() if each.pid}
        return self._pids


def _usage(processes: list[Any], psutil: Any) -> Usage:
    cpu_s = rss = 0.0
    count = 0
    for process in processes:
        try:
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue  # Server processes come and go with their clients.
        count += 1
        cpu_s += times.user + times.system
        rss += memory.rss
    return Usage(count, cpu_s, rss / 2**20)


def _statistics(seconds: list[float], count: int) -> Statistics:
    if not seconds:
        return Statistics(0, 0.0, 0.0, 0.0)
    ordered = sorted(1000 * value for value in seconds)
    return Statistics(count, sum(ordered) / len(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])


def _fields(value: Statistics | Usage) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
