"""The test's JUnit XML: a case for each service beside the program's own cases, and a whole file where it wrote none.

Written here, because without it Bazel runs a second action that turns the log into XML. The program's file is
extended as text: parsing it would cost more than a service start.
"""

from __future__ import annotations

import os

from realservices.system.bazel_files import cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.supervised_service import Supervised
    from realservices.launcher.timeline import Timeline

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("\n"): "&#10;"}
# XML 1.0 has no way to write these, not even escaped.
_FORBIDDEN = {number: "�" for number in (*range(32), 0xFFFE, 0xFFFF) if number not in (9, 10, 13)}
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>'


def write_report(timeline: Timeline, services: list[Supervised], exit_code: int, reason: str, elapsed_s: float) -> None:
    """Complete or write XML_OUTPUT_FILE; nothing outside of Bazel.

    Args:
        timeline: The test target, and what its services took.
        services: What ran; each becomes a case of the suite ``services``.
        exit_code: The program's.
        reason: Why the launcher fails the test, or "" where the program's own exit code says it all.
        elapsed_s: Duration of the whole test action.
    """
    path = os.environ.get("XML_OUTPUT_FILE")
    if not path:
        return
    try:
        _write_report(path, timeline, services, exit_code, reason, elapsed_s)
    except OSError as error:
        # The program's own report stays as it is.
        error.filename = error.filename or path
        cannot("write the test's report", error)


def _write_report(
    path: str, timeline: Timeline, services: list[Supervised], exit_code: int, reason: str, elapsed_s: float
) -> None:
    own = _without_end(_read(path))
    suites = _services_suite(timeline, services)
    if reason or not own:
        suites += _program_suite(timeline.label, exit_code, reason, elapsed_s)
    # A name in a message may hold bytes that were no text (os.fsdecode): they must not cost the whole report.
    partial = f"{path}.partial"
    try:
        with open(partial, "w", encoding="utf-8", errors="replace") as file:
            file.write(f"{own or _HEAD}{suites}</testsuites>\n")
        os.replace(partial, path)
    except OSError:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def _without_end(report: str) -> str:
    """Return the program's own report up to where suites can be added, or "" if it has none that is whole."""
    head, end, _ = report.rpartition("</testsuites>")
    if end:
        return head
    # Some writers make do with one suite as the root.
    start = report.find("<testsuite")
    is_suite = start >= 0 and not report.startswith("<testsuites", start) and report.rstrip().endswith("</testsuite>")
    return _HEAD + report[start:] if is_suite else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _services_suite(timeline: Timeline, services: list[Supervised]) -> str:
    if not services:
        return ""
    cases = "".join(_service_case(timeline, service) for service in services)
    failures = sum(1 for s in services if s.error)
    skipped = sum(1 for s in services if s.blocker)
    counts = f'tests="{len(services)}" failures="{failures}" errors="0" skipped="{skipped}"'
    return f'<testsuite name="services" {counts}>{_properties(timeline.chain)}{cases}</testsuite>'


def _service_case(timeline: Timeline, service: Supervised) -> str:
    name, time_s = _escaped(service.name), (service.ready_ms or 0) / 1000
    error = service.error
    result = _properties(timeline.properties(service.name))
    if error:
        result += f'<failure message="{_escaped(error.cause)}">{_escaped(str(error))}</failure>'
    elif service.blocker:
        result += f'<skipped message="not started because of {service.blocker.name!r}"></skipped>'
    classname = f"{_escaped(timeline.label)}.services"
    return f'<testcase classname="{classname}" name="{name}" time="{time_s:.3f}">{result}</testcase>'


def _properties(values: dict[str, str]) -> str:
    entries = [f'<property name="{name}" value="{_escaped(value)}"/>' for name, value in values.items()]
    return f"<properties>{''.join(entries)}</properties>"


def _program_suite(label: str, exit_code: int, reason: str, elapsed_s: float) -> str:
    failed = bool(exit_code or reason)
    message = _escaped(reason or f"exited with code {exit_code}")
    error = f'<error message="{message}"></error>' if failed else ""
    name = _escaped(label)
    return (
        f'<testsuite name="{name}" tests="1" failures="0" errors="{int(failed)}" time="{elapsed_s:.3f}">'
        f'<testcase classname="{name}" name="{name}" time="{elapsed_s:.3f}">{error}</testcase></testsuite>'
    )


def _escaped(text: str) -> str:
    return text.translate(_FORBIDDEN).translate(_ESCAPES)
