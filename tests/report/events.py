"""Build event files as Bazel writes them, small enough to be read: one call per event, files beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realservices.report.run_report import RealServiceTestReport

LABEL = "//shop:cart_test"
START_MS = 1_790_000_000_000


class EventFile:
    """A build event file in a directory, with the files that its events name.

    Args:
        directory: Where it is written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "events.json"
        self._lines: list[str] = []
        self._add({"started": {}}, started={"startTimeMillis": str(START_MS), "command": "test"})

    def configured(self, label: str = LABEL) -> None:
        """Say that a target is a test."""
        self._add(
            {"targetConfigured": {"label": label}}, configured={"targetKind": "py_test rule", "testSize": "SMALL"}
        )

    def completed(self, label: str = LABEL, **fields: Any) -> None:
        """Say what became of a target's build."""
        self._add({"targetCompleted": _identity(label)}, completed=fields)

    def aborted(self, label: str, reason: str, description: str = "") -> None:
        """Say that a target came to nothing."""
        self._add({"targetCompleted": _identity(label)}, aborted={"reason": reason, "description": description})

    def result(
        self,
        status: str,
        files: dict[str, str] | None = None,
        *,
        label: str = LABEL,
        numbers: tuple[int, int, int] = (1, 1, 1),
        uris: dict[str, str] | None = None,
        configuration: str = "c",
        **fields: Any,
    ) -> None:
        """Add a test result.

        Args:
            status: Bazel's word for it.
            files: Texts of files that the test left, by Bazel's name.
            label: The target.
            numbers: Run, shard and attempt.
            uris: Addresses of files that are there already, or nowhere, by Bazel's name.
            configuration: The target's.
            fields: More fields of the event.
        """
        run, shard, attempt = numbers
        folder = self.directory / f"{label.replace('/', '_')}.{run}.{shard}.{attempt}"
        folder.mkdir(exist_ok=True)
        addresses = dict(uris or {})
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
            addresses[name] = (folder / name).as_uri()
        self._add(
            {"testResult": {**_identity(label, configuration), "run": run, "shard": shard, "attempt": attempt}},
            testResult={
                "status": status,
                "testActionOutput": [{"name": name, "uri": uri} for name, uri in addresses.items()],
                "testAttemptDuration": "1.500s",
                "testAttemptStart": "2026-09-21T14:13:20.250Z",
                **fields,
            },
        )

    def summary(self, status: str, label: str = LABEL, configuration: str = "c") -> None:
        """Add Bazel's verdict on a target."""
        self._add({"testSummary": _identity(label, configuration)}, testSummary={"overallStatus": status})

    def event(self, identity: dict[str, Any], **content: Any) -> None:
        """Add any other event."""
        self._add(identity, **content)

    def text(self, line: str) -> None:
        """Add a line that is none of Bazel's."""
        self._lines.append(line)

    def write(self, *, is_finished: bool = True) -> Path:
        """Write the file and return its path."""
        if is_finished:
            end = {"finishTimeMillis": str(START_MS + 2500), "exitCode": {"name": "TESTS_FAILED", "code": 3}}
            self._add({"buildFinished": {}}, finished=end)
        self.path.write_text("".join(line + "\n" for line in self._lines), encoding="utf-8")
        return self.path

    def report(self) -> RealServiceTestReport:
        """Write the file and read it."""
        return RealServiceTestReport.from_build_events(self.write())

    def _add(self, identity: dict[str, Any], **content: Any) -> None:
        self._lines.append(json.dumps({"id": identity, **content}))


def _identity(label: str, configuration: str = "c") -> dict[str, Any]:
    return {"label": label, "configuration": {"id": configuration}}


def junit(*, cases: str = "", services: str = "", chain: str = "") -> str:
    """Return a test.xml: pytest's suite with cases, and the launcher's suite of services."""
    own = f'<testsuite name="pytest">{cases}</testsuite>' if cases else ""
    ours = f'<testsuite name="services"><properties>{chain}</properties>{services}</testsuite>' if services else ""
    return f'<?xml version="1.0" encoding="utf-8"?><testsuites>{own}{ours}</testsuites>'


def service_case(name: str, *, result: str = "", **values: object) -> str:
    """Return the launcher's case of a service."""
    entries = "".join(f'<property name="{key}" value="{value}"/>' for key, value in values.items())
    return (
        f'<testcase classname="{LABEL}.services" name="{name}" time="0.1">'
        f"<properties>{entries}</properties>{result}</testcase>"
    )
