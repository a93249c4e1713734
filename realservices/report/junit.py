"""Reads a test.xml: the program's cases, and the suite of services that launcher/junit_report.py adds to it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from realservices.contract.shapes import shown, whole_number
from realservices.report.event_shapes import finite
from realservices.report.report_model import Case, Program, Service

_SERVICES_SUITE = "services"
_TAIL_MARK = "its last log lines:\n"
# pytest's own words, where a message is longer than it puts into an attribute.
_CUT_OFF = "more lines; full report in element text]"
_MOST_ERROR_LINES = 5
_MOST_TEXT = 12_000
_MOST_MESSAGE = 2_000
_SLOWEST = 5
_FAILED = ("failed", "error")
_STATUS_OF = {"failure": "failed", "error": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class JUnit:
    """What a test.xml says.

    Attributes:
        counts: Number of the program's cases by status.
        cases: Those that did not pass and the slowest others.
        services: The services, if the launcher ran the test.
        services_ready_ms: Until all were ready, or None.
        critical_path: The chain of services that others waited for.
        program: The test program, or None.
        verdict: Why the launcher failed the test, or "".
        damage: Why it could not be parsed, or "".
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    services_ready_ms: float | None = None
    critical_path: list[str] = field(default_factory=list)
    program: Program | None = None
    verdict: str = ""
    damage: str = ""


def read_junit(text: str, label: str) -> JUnit:
    """Return what the XML says.

    Args:
        text: The file; "" is a file that nobody wrote.
        label: The test target: the case of that name is the launcher's or Bazel's verdict on the whole program.
    """
    if not text.strip():
        return JUnit()
    try:
        parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - without a DOCTYPE there are no entities
        parser.feed(text)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        return JUnit(damage=f"is no XML: {error}")
    suites = list(root.iter("testsuite"))
    ours = next((suite for suite in suites if suite.get("name") == _SERVICES_SUITE and _is_ours(suite)), None)
    cases = [_case(case) for suite in suites if suite is not ours for case in suite.iterfind("testcase")]
    verdict = next((case.message for case in cases if case.name == label and case.status in _FAILED), "")
    own = [case for case in cases if case.name != label]
    counts = dict(Counter(case.status for case in own))
    if ours is None:
        return JUnit(counts, _telling(own), verdict=verdict)
    chain = _properties(ours)
    path = _names(chain.get("critical_path", ""))
    services = [_service(case, path) for case in ours.iterfind("testcase")]
    ready_ms = _number(chain.get("ready_ms"))
    return JUnit(counts, _telling(own), services, ready_ms, path, _program(chain), verdict)


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree of a file that declares no entities: one such can grow without bounds, and JUnit needs none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"it has a DOCTYPE {shown(name)}, which no test runner writes")


def _is_ours(suite: ElementTree.Element) -> bool:
    return all((case.get("classname") or "").endswith(".services") for case in suite.iterfind("testcase"))


def _telling(cases: list[Case]) -> list[Case]:
    """Leave out passing cases but the slowest: a thousand targets are to fit into one page."""
    others = [case for case in cases if case.status not in _FAILED]
    slowest = sorted(others, key=lambda case: case.time_s, reverse=True)[:_SLOWEST]
    return [case for case in cases if case.status in _FAILED] + slowest


def _case(element: ElementTree.Element) -> Case:
    name, classname = element.get("name") or "", element.get("classname") or ""
    whole = f"{classname}.{name}" if classname and classname != name else name
    for child in element:
        status = _STATUS_OF.get(child.tag)
        if status:
            text = (child.text or "").strip("\n")
            message = _message(child.get("message") or "", text)
            return Case(whole, status, _time_s(element), message[:_MOST_MESSAGE], text[-_MOST_TEXT:])
    return Case(whole, "passed", _time_s(element))


def _message(message: str, text: str) -> str:
    """Return what went wrong in few lines: some runners have the text alone, and pytest cuts long messages off."""
    if _CUT_OFF in message:
        errors = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E  ")]
        return "\n".join(errors[:_MOST_ERROR_LINES]) or message
    return message or text.strip().partition("\n")[0]


def _service(case: ElementTree.Element, path: list[str]) -> Service:
    values = _properties(case)
    failure = case.find("failure")
    name = case.get("name") or ""
    return Service(
        name=name,
        kind=values.get("kind", ""),
        label=values.get("label", ""),
        needs=_names(values.get("needs", "")),
        state=_state(case, values),
        started_ms=_number(values.get("started_ms")),
        ready_ms=_number(values.get("ready_ms")),
        ports=_ports(values.get("ports", "")),
        cpu_ms=_number(values.get("cpu_ms")),
        peak_mb=_number(values.get("peak_mb")),
        is_critical=name in path,
        cause="" if failure is None else failure.get("message") or "failed",
        log_tail="" if failure is None else _log_tail(failure.text or ""),
    )


def _log_tail(text: str) -> str:
    """Return what follows the cause, as contract/errors.py puts it together."""
    _, mark, tail = text.partition(_TAIL_MARK)
    return dedent(tail if mark else text).strip("\n")


def _state(case: ElementTree.Element, values: Mapping[str, str]) -> str:
    if case.find("failure") is not None:
        return "failed"
    if case.find("skipped") is not None:
        return "waiting"
    return values.get("state") or ("ready" if values.get("ready_ms") else "")


def _program(chain: Mapping[str, str]) -> Program | None:
    keys = ("started_ms", "ended_ms", "cpu_ms", "peak_mb")
    values = {key: _number(chain.get(f"program_{key}")) for key in keys}
    return Program(**values) if any(value is not None for value in values.values()) else None


def _properties(element: ElementTree.Element) -> dict[str, str]:
    entries = element.iterfind("properties/property")
    return {entry.get("name") or "": entry.get("value") or "" for entry in entries}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in _names(text):
        key, _, value = part.partition("=")
        yield key, value


def _ports(text: str) -> dict[str, int]:
    numbers = {key: whole_number(number) for key, number in _pairs(text)}
    return {key: number for key, number in numbers.items() if number is not None}


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _number(text: str | None) -> float | None:
    return finite(text) if text else None


def _time_s(element: ElementTree.Element) -> float:
    # Some runners write thousands with a comma.
    return _number((element.get("time") or "").replace(",", "")) or 0.0
