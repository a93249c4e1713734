"""The report itself: read from a build event file, written as JSON or as a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from realservices.contract.shapes import check, load_json
from realservices.report.build_events import BuildEvents, epoch_ms, read_build_events
from realservices.report.errors import ReportError
from realservices.report.event_shapes import report_shape
from realservices.report.page import render
from realservices.report.plain_session import SESSION, Launcher, launched_services, session_target
from realservices.report.previous_run import compare, outcomes
from realservices.report.report_model import STATUSES, Attempt, Build, BuildFailure, Comparison, Service, Target
from realservices.report.run_summary import Summary, summarize
from realservices.report.targets import read_build_failures, read_targets

VERSION = 1


@dataclass(frozen=True)
class RealServiceTestReport:
    """What a run of `bazel test`, or a session of pytest, did: targets, their services, what failed and why.

    ```python
    report = RealServiceTestReport.from_build_events("events.json", previous="last.json")
    Path("report.html").write_text(report.to_html(), encoding="utf-8")
    ```

    Args:
        build: The invocation.
        targets: The test targets, by label.
        build_failures: What failed before any test could run.
        comparison: With a previous run, or None.
        tests: Results by test, where they are known one by one: plain pytest. Empty: targets have them.
    """

    build: Build = field(default_factory=Build)
    targets: Sequence[Target] = ()
    build_failures: Sequence[BuildFailure] = ()
    comparison: Comparison | None = None
    tests: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def from_launcher(
        cls, launcher: Launcher, test_results: Mapping[str, str] | None = None
    ) -> RealServiceTestReport:
        """Report on the services of a `DevLauncher` that has started them, or of a `RealServicesManager`'s.

        Each is asked for its health now.

        Args:
            launcher: The launcher, started.
            test_results: By test, if there were tests: ``passed``, ``failed``, ``error`` or ``skipped``.
        """
        return cls.from_services(await launched_services(launcher), test_results or {})

    @classmethod
    def from_services(
        cls, services: Sequence[Service], test_results: Mapping[str, str], started_epoch_ms: float = 0.0
    ) -> RealServiceTestReport:
        """Report on one session outside of Bazel, which is one test action here."""
        target = session_target(services, test_results, started_epoch_ms)
        build = Build(program=SESSION, started_epoch_ms=started_epoch_ms)
        return cls(build, [target], tests=dict(test_results))

    @classmethod
    def from_build_events(cls, path: str | Path, previous: str | Path | None = None) -> RealServiceTestReport:
        """Read what ``bazel test --build_event_json_file=PATH`` wrote, and the files that it names.

        Args:
            path: The build event file.
            previous: The build event file of a run to compare with, or its report.json. Only what is in this file
                itself counts: the logs that it names have been overwritten since.

        Raises:
            ReportError: One of the files cannot be read, or is something else.
        """
        events = _read_events(Path(path))
        targets = read_targets(events)
        comparison = None
        if previous:
            before, started = _outcomes_of(Path(previous))
            after = outcomes((t.label, t.status, t.duration_ms) for t in targets)
            comparison = compare(before, after, started)
        return cls(_build(events), targets, read_build_failures(events), comparison)

    @property
    def counts(self) -> dict[str, int]:
        """Number of targets by status, worst first, without those of zero."""
        counted = Counter(target.status for target in self.targets)
        return {status: counted[status] for status in STATUSES if counted[status]}

    @property
    def summary(self) -> Summary:
        """Start-up by service, chains that were waited for, caches."""
        return summarize(self.targets)

    @property
    def title(self) -> str:
        """What was run, as a command: ``bazel test //auth/...``."""
        if self.build.program == SESSION:
            return SESSION
        return " ".join(["bazel", self.build.command or "test", *self.build.patterns])

    @property
    def services_started(self) -> list[dict[str, Any]]:
        """Every start of a service: test action, name, kind, label and state."""
        return [
            {"test": action, "name": s.name, "kind": s.kind, "label": s.label, "state": s.state}
            for action, attempt in self._actions()
            for s in attempt.services
            if s.started_ms is not None
        ]

    @property
    def startup_time(self) -> dict[str, dict[str, float | None]]:
        """Milliseconds from a service's start until it served, by test action and service; None if it never did."""
        return {action: {s.name: s.ready_ms for s in one.services} for action, one in self._actions() if one.services}

    @property
    def port_allocations(self) -> dict[str, dict[str, dict[str, int]]]:
        """Ports by test action, service and name of the port."""
        return {action: {s.name: dict(s.ports) for s in a.services} for action, a in self._actions() if a.services}

    @property
    def health_check_results(self) -> dict[str, dict[str, str]]:
        """``ready``, or what was wrong at the end of the test, by test action and service."""
        return {
            action: {s.name: s.cause or s.state for s in attempt.services}
            for action, attempt in self._actions()
            if attempt.services
        }

    @property
    def test_results(self) -> dict[str, str]:
        """Status of every target; outside of Bazel, the result of every test."""
        return dict(self.tests) or {target.label: target.status for target in self.targets}

    def generate(self) -> dict[str, Any]:
        """Return a short form: services started, start-up times, ports, health, results."""
        return {
            "services_started": self.services_started,
            "startup_time": self.startup_time,
            "port_allocations": self.port_allocations,
            "health_check_results": self.health_check_results,
            "test_results": self.test_results,
        }

    def to_json(self, *, indent: int | None = 1) -> str:
        """Return the whole report as JSON; its form is that of realservices/report/report_model.py."""
        content = {"version": VERSION, "counts": self.counts, "summary": asdict(self.summary), **asdict(self)}
        # NaN is no JSON to the page's script: every reader here refuses it.
        return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else."""
        return render(self.title, self.targets, self.to_json(indent=None))

    def _actions(self) -> Iterator[tuple[str, Attempt]]:
        for target in self.targets:
            for attempt in target.attempts:
                parts = [target.label]
                if max(other.run for other in target.attempts) > 1:
                    parts.append(f"run {attempt.run}")
                if target.shards > 1:
                    parts.append(f"shard {attempt.shard} of {target.shards}")
                if max(other.attempt for other in target.attempts) > 1:
                    parts.append(f"attempt {attempt.attempt}")
                yield ", ".join(parts), attempt


def _read_events(path: Path) -> BuildEvents:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            events = read_build_events(file)
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from error
    if not events.started and not events.results:
        problem = f" ({events.problems[0]})" if events.problems else ""
        raise ReportError(
            f"{path} is no build event file{problem}; make one with `bazel test --build_event_json_file=FILE`"
        )
    return events


def _outcomes_of(path: Path) -> tuple[dict[str, tuple[str, float]], float]:
    """Return the outcomes of a previous run by label, and when it was started."""
    report = _as_report(path)
    if report is None:
        events = _read_events(path)
        targets = read_targets(events, reads_files=False)
        return outcomes((t.label, t.status, t.duration_ms) for t in targets), _build(events).started_epoch_ms
    try:
        check(report, report_shape(frozenset(STATUSES)))
    except ValueError as error:
        raise ReportError(f"{path} is no report.json of version {VERSION}: {error}") from None
    found = outcomes((t["label"], t["status"], float(t["duration_ms"])) for t in report["targets"])
    return found, float(report["build"]["started_epoch_ms"])


def _as_report(path: Path) -> dict[str, Any] | None:
    """Return a report.json, or None if the file is something else: build events have one JSON text per line."""
    try:
        content = load_json(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        return None
    return content if isinstance(content, dict) and "targets" in content else None


def _build(events: BuildEvents) -> Build:
    started = epoch_ms(events.started, "startTime", "startTimeMillis") or 0.0
    end = epoch_ms(events.finished, "finishTime", "finishTimeMillis") if events.finished else None
    runners = events.metrics.get("actionSummary", {}).get("runnerCount", [])
    return Build(
        command=events.started.get("command", ""),
        patterns=events.patterns,
        bazel=events.started.get("buildToolVersion", ""),
        started_epoch_ms=started,
        duration_ms=None if end is None else end - started,
        exit=(events.finished or {}).get("exitCode", {}).get("name", ""),
        processes={
            entry.get("name", ""): int(float(entry.get("count", 0)))
            for entry in runners
            if entry.get("name") != "total"
        },
        critical_path=events.tool_logs.get("critical path", "").strip(),
        problems=events.problems,
    )
