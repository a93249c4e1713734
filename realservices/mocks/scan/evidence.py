"""Say what a mock stands for: by its target's import, by methods called on it, by SQL, by names last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.scan import fakes
from realservices.mocks.scan.evidence_of_names import NAME, WEAK, named_by, names_say
from realservices.mocks.scan.mock_usage import facts_of, texts
from realservices.mocks.scan.names import (
    is_client_word,
    is_of_another_store,
)
from realservices.mocks.scan.scopes import INSTANCE
from realservices.mocks.scan.vocabulary import METHODS, WEAK_METHODS, service_of_package, service_of_sql
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from realservices.mocks.scan.draft import Draft, Notes
    from realservices.mocks.scan.project_names import Definition, Project

_OPEN = (Service.OTHER, Service.OWN_CODE)
_DEPTH = 5
_STRONG, _SQL, _ENOUGH = 2.0, 3.0, 1.5


class Verdict:
    """What a mock stands for.

    Attributes:
        service: The service.
        evidence: What says so, the strongest first.
        is_certain: Whether it is known to be OTHER, or the project's own: names do not make it anything else.
    """

    def __init__(self, service: Service, *evidence: str, is_certain: bool = False) -> None:
        self.service, self.evidence, self.is_certain = service, evidence, is_certain

    @property
    def is_open(self) -> bool:
        """Whether nothing but that it is some code is known."""
        return self.service in _OPEN and not self.is_certain


class Judge:
    """What the mocks of one file stand for.

    Args:
        path: The file.
        notes: What is in it.
        project: Where names lead.
        context: What the file is about, and why.
    """

    def __init__(self, path: Path, notes: Notes, project: Project, context: tuple[Service, str]) -> None:
        self._path, self._notes, self._project, self._context = path, notes, project, context
        self._works_on_sqlite: bool | None = None
        self._definitions: dict[str, Definition] = {}

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what each mock stands for; one that nothing is known of may have it from those it belongs to."""
        drafts = self._notes.drafts
        direct = [self._of(draft) for draft in drafts]
        for number, verdict in enumerate(direct):
            if not verdict.is_open:
                yield verdict
                continue
            yield self._linked(number, direct) or self._by_context(drafts[number], verdict) or verdict

    def works_on_sqlite(self, imports: Sequence[str]) -> bool:
        """Return whether a module of the project that the file imports works on SQLite by itself."""
        if self._works_on_sqlite is None:
            self._works_on_sqlite = any(self._project.works_on_sqlite(full, self._path) for full in imports)
        return self._works_on_sqlite

    def definition(self, target: str) -> Definition:
        """Return where a target leads."""
        target = _builtin(target)
        if target not in self._definitions:
            self._definitions[target] = self._project.definition(target, self._path)
        return self._definitions[target]

    def _of(self, draft: Draft) -> Verdict:
        if draft.known:
            return Verdict(*draft.known)
        found = self._by_target(draft.target)
        if found and not found.is_open:
            return found
        for full in draft.inside:
            library = fakes.library_of(full.replace(INSTANCE, ""))
            if library:
                return Verdict(library.service, f"{full.replace(INSTANCE, '')} stands in its place")
        used = self._by_use(draft, is_own=found is not None and found.service is Service.OWN_CODE)
        place = self._by_place(draft.place) if draft.place and used is None else None
        return used or place or found or Verdict(Service.OTHER, "nothing says what it stands for")

    def _by_target(self, target: str) -> Verdict | None:
        if not target:
            return None
        definition = self.definition(target)
        shown = f"{target} is {definition.full}" if definition.full != target else f"it replaces {target}"
        if definition.kind == "library":
            service = service_of_package(definition.full)
            return Verdict(service or Service.OTHER, shown.replace(INSTANCE, ""), is_certain=service is not None)
        if found := self._returned(definition, 0):
            return found
        if definition.kind in ("function", "class", "value", "module"):
            return Verdict(Service.OWN_CODE, f"{target} is the project's own {definition.kind}")
        if definition.kind == "unknown":
            return Verdict(Service.OWN_CODE, f"{target} is in the project's own code")
        return None

    def _returned(self, definition: Definition, depth: int) -> Verdict | None:
        """Return what a function returns, or a class is by its bases, where that is a client."""
        for name in definition.returns if depth < _DEPTH else ():
            following = self.definition(name)
            service = service_of_package(following.full) if following.kind == "library" else None
            if service and service not in _OPEN:
                word = "returns" if definition.kind == "function" else "is a"
                return Verdict(service, f"{definition.full} {word} {following.full}".replace(INSTANCE, ""))
            if following.kind == "class" and (found := self._returned(following, depth + 1)):
                return found
        return None

    def _by_place(self, place: str) -> Verdict | None:
        """Return what an attribute of one of the project's objects stands for."""
        place = place.replace(INSTANCE, "")
        found = self._by_target(place)
        if found is None or found.service is not Service.OWN_CODE or self.definition(place).kind == "function":
            return found
        service, why = self._project.module_context(place, self._path)
        return Verdict(service, f"it is set as {place}, and {why}") if service is not Service.OTHER else found

    def _by_use(self, draft: Draft, *, is_own: bool) -> Verdict | None:
        scores: dict[Service, float] = {}
        words: dict[Service, list[str]] = {}
        for service, score, why in (*self._methods(draft), *names_say(draft, is_own=is_own)):
            if is_own and score < NAME:
                continue
            if service is Service.POSTGRES and score < _STRONG and is_of_another_store(self._path.stem):
                continue
            scores[service] = scores.get(service, 0.0) + score
            words.setdefault(service, []).append(why)
        if not scores:
            return None
        best = max(scores, key=lambda service: scores[service])
        return Verdict(best, *words[best][:3]) if scores[best] >= _ENOUGH else None

    def _methods(self, draft: Draft) -> Iterator[tuple[Service, float, str]]:
        told: set[str] = set()
        name = draft.names[0] if draft.names else "it"
        keywords = draft.call.keywords if draft.call else []
        seen = [(name, part) for one in keywords for part in (one.arg or "").split(".")]
        for name, fact, attributes in facts_of(draft, self._notes):
            seen += [(name, attribute) for attribute in attributes]
            for text in texts(fact.call) if fact.call else ():
                if (service := service_of_sql(text)) and text not in told:
                    told.add(text)
                    yield service, _SQL, f"SQL in its arguments: {' '.join(text.split())[:60]}"
        for name, attribute in dict.fromkeys(seen):
            if service := METHODS.get(attribute):
                yield service, _STRONG, f"{name}.{attribute}"
            for service in WEAK_METHODS.get(attribute, ()):
                yield service, WEAK / len(WEAK_METHODS[attribute]), f"{name}.{attribute}"

    def _linked(self, number: int, direct: Sequence[Verdict]) -> Verdict | None:
        draft = self._notes.drafts[number]
        for other, verdict in zip(self._notes.drafts, direct, strict=True):
            if verdict.is_open or other is draft:
                continue
            name = _shared(draft, other, self._notes)
            if name:
                return Verdict(verdict.service, f"it belongs to {name}: {verdict.evidence[0]}")
        return None

    def _by_context(self, draft: Draft, verdict: Verdict) -> Verdict | None:
        """Return what a client, a session or a connection stands for in a file that is about one service."""
        if verdict.service is Service.OWN_CODE or draft.target:
            return None
        for name in (*draft.names, *draft.hints, *named_by(draft)):
            last = name.rpartition(".")[2]
            if is_client_word(last) and self._context[0] is not Service.OTHER:
                return Verdict(self._context[0], f"{last} is a client's word, and {self._context[1]}")
        return None


def _builtin(target: str) -> str:
    full = f"builtins.{target}"
    return full if service_of_package(full) else target


def _shared(draft: Draft, other: Draft, notes: Notes) -> str:
    """Return the name by which one mock returns or installs another, in the same function or around it."""
    if draft.scope is not other.scope and not _is_around(draft, other):
        return ""
    for one, two in ((draft, other), (other, draft)):
        for name in two.names:
            if name in one.links:
                return name
        for name, fact, attributes in facts_of(one, notes):
            if fact.value is not None and attributes and attributes[-1] in _RETURNS and _mentions(fact.value, two):
                return name
    return ""


_RETURNS = frozenset({"return_value", "side_effect"})


def _mentions(value: object, draft: Draft) -> bool:
    return getattr(value, "id", None) in draft.names


def _is_around(one: Draft, other: Draft) -> bool:
    return one.scope.name.startswith(other.scope.name) or other.scope.name.startswith(one.scope.name)
