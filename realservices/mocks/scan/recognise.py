"""Tell what an expression does: whether it makes or installs a mock, by the full name of what is called."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.real_fixtures import is_real_fixture
from realservices.mocks.scan import apis, fakes, sqlite
from realservices.mocks.scan.draft import Draft, argument, is_constant, keyword, literal
from realservices.mocks.scan.handmade import fake_class
from realservices.mocks.scan.patched_targets import lone_value, named, target_of
from realservices.mocks.scan.scopes import INSTANCE, Scope, dotted, resolve
from realservices.mocks.scan_model import Form, Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.scan.inherited import Inherited

_IMPORTERS = frozenset({"pytest.importorskip", "importlib.import_module", "types.ModuleType"})
_SETTERS = {f"{apis.MONKEYPATCH}.{name}": name for name in ("setattr", "setitem", "delattr")}
_SQLITE_WORDS = "SQLite in place of the database of production"


class Recogniser:
    """What expressions do, in one file.

    Args:
        module: The file's dotted name.
        inherited: What other files hand on to it.
        context: What the file is about.
    """

    def __init__(self, module: str, inherited: Inherited, context: Service = Service.OTHER) -> None:
        self._module, self._inherited, self._context = module, inherited, context

    def full(self, node: ast.AST, scope: Scope) -> str:
        """Return the full name of an expression, through what the project's test modules hand on."""
        text = dotted(node)
        return self._inherited.canonical(resolve(text, scope)) if text else ""

    def value(self, node: ast.expr, scope: Scope) -> str:
        """Return what a name is bound to that an expression is assigned to."""
        if isinstance(node, ast.Await):
            node = node.value
        if not isinstance(node, ast.Call):
            full = self.full(node, scope)
            return "" if full.startswith("builtins.") and not full.startswith("builtins.open") else full
        full = self.full(node.func, scope)
        if full in _IMPORTERS and node.args:
            return literal(node.args[0])
        if full.endswith((".start", ".enter_context", ".enterContext")) or (not full and self._is_started(node)):
            return "unittest.mock.Mock" + INSTANCE if self._makes_mock(node, scope) else ""
        return full + INSTANCE if full and not full.startswith("builtins.") else ""

    def _is_started(self, node: ast.Call) -> bool:
        return isinstance(node.func, ast.Attribute) and node.func.attr == "start"

    def _makes_mock(self, node: ast.Call, scope: Scope) -> bool:
        inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
        return isinstance(inner, ast.Call) and self._form(self.full(inner.func, scope)) is Form.PATCH_CALL

    def _form(self, full: str) -> Form | None:
        return apis.form_of(full)

    def installed(self, node: ast.expr, scope: Scope) -> Draft | None:
        """Return the use that a decorator or a context manager is."""
        if isinstance(node, ast.Call):
            mark = fakes.MARKS.get(dotted(node.func))
            return self._marked(node, scope, mark) if mark else self.call(node, scope)
        mark = fakes.MARKS.get(dotted(node))
        if mark:
            return self._marked(node, scope, mark)
        full = self.full(node, scope)
        library = fakes.library_of(full)
        return self._fake(node, scope, full, library) if library else None

    def _marked(self, node: ast.expr, scope: Scope, library: fakes.Fake) -> Draft:
        words = f"the mark {dotted(node.func if isinstance(node, ast.Call) else node)}"
        return Draft(node, Form.FAKE_LIBRARY, library.module, scope, known=(library.service, words))

    def _fake(self, node: ast.expr, scope: Scope, full: str, library: fakes.Fake) -> Draft:
        known = (library.service, f"{full} is a fake of {_spoken(library)}")
        return Draft(node, Form.FAKE_LIBRARY, full, scope, known=known)

    def call(self, node: ast.Call, scope: Scope) -> Draft | None:
        """Return the use that a call is, None where it is none."""
        full = self.full(node.func, scope)
        if not full:
            return self._cassette(node, scope)
        form = self._form(full)
        if form:
            return self._mock(node, scope, full, form)
        if full in _SETTERS:
            return self._monkeypatched(node, scope, full)
        if library := fakes.library_of(full):
            return self._fake(node, scope, full, library)
        return self._sqlite(node, scope, full) or self._handed_on(node, scope, full)

    def _mock(self, node: ast.Call, scope: Scope, full: str, form: Form) -> Draft:
        target = target_of(full, node, scope)
        shown = full.replace(apis.MOCKER, "pytest_mock.MockerFixture")
        draft = Draft(node, form, shown, scope, target=target, call=node, lone=lone_value(full, node))
        if full.endswith(".mock_open"):
            draft.known = (Service.FILES, "mock_open stands for an open file")
        return draft

    def _cassette(self, node: ast.Call, scope: Scope) -> Draft | None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "use_cassette":
            known = (Service.HTTP, "a cassette of recorded responses")
            return Draft(node, Form.FAKE_LIBRARY, "vcr.VCR.use_cassette", scope, known=known)
        return None

    def _monkeypatched(self, node: ast.Call, scope: Scope, full: str) -> Draft | None:
        kind = _SETTERS[full]
        first = argument(node, 0, "target", "dic")
        second = argument(node, 1, "name")
        by_text = bool(literal(first)) and kind != "setitem"
        value = argument(node, 1 if by_text and len(node.args) < 3 and keyword(node, "value") is None else 2, "value")
        if kind == "delattr":
            value = None
        elif value is None or not self._replaces(value, scope):
            return None
        target = literal(first) if by_text else named(first, scope)
        name = "" if by_text else literal(second)
        if kind == "setitem" and not target.endswith("modules"):
            name = literal(second)
            if value is None or not self._is_mock(value, scope):
                return None
        elif kind == "setitem":
            target, name = name, ""
        return Draft(node, Form.MONKEYPATCH, full, scope, target=f"{target}.{name}".strip("."), call=node)

    def _is_mock(self, value: ast.expr, scope: Scope) -> bool:
        full = self.full(value.func if isinstance(value, ast.Call) else value, scope)
        bare = full.removesuffix(INSTANCE)
        return bool(self._form(bare) or fakes.library_of(bare) or self._inherited.fake(bare))

    def _replaces(self, value: ast.expr, scope: Scope) -> bool:
        """Return whether a value is something that runs in place of the original: a function, a class, a fake."""
        if is_constant(value) or any(isinstance(one, ast.Name) and is_real_fixture(one.id) for one in ast.walk(value)):
            return False
        if isinstance(value, ast.Lambda):
            return True
        if isinstance(value, ast.Call):
            full = self.full(value.func, scope)
            last = full.rpartition(".")[2]
            return (
                self._is_mock(value, scope)
                or last in ("partial", "staticmethod", "property", "classmethod")
                or bool(self._is_local(full) and (last[:1].isupper() or last.startswith(("_", "make_", "fake"))))
            )
        full = self.full(value, scope)
        return self._is_mock(value, scope) or self._is_local(full) or self._inherited.is_callable(full)

    def _is_local(self, full: str) -> bool:
        """Return whether a name is a function or class that this file defines."""
        return bool(full) and full.startswith(f"{self._module}.") and not full.endswith(INSTANCE)

    def _sqlite(self, node: ast.Call, scope: Scope, full: str) -> Draft | None:
        known = (Service.POSTGRES, _SQLITE_WORDS)
        if sqlite.is_connect(full):
            return Draft(node, Form.SQLITE, full, scope, call=node, known=known)
        if sqlite.url_in_call(node, full):
            return Draft(node, Form.SQLITE, full.removeprefix("builtins."), scope, call=node, known=known)
        return None

    def sqlite_in_assignment(
        self, names: Sequence[str], hints: Sequence[str], value: ast.expr, scope: Scope
    ) -> Iterator[Draft]:
        """Yield the use that a URL of SQLite is, where it is assigned to a name or a key of a database's address."""
        if sqlite.is_url(value) and any(map(sqlite.is_place, (*names, *hints))):
            known = (Service.POSTGRES, _SQLITE_WORDS)
            yield Draft(value, Form.SQLITE, "sqlite", scope, names=list(names), known=known)

    def django_database(self, node: ast.Dict, scope: Scope) -> Draft | None:
        """Return the use that a dictionary with Django's engine, or a URL, of SQLite is."""
        value = sqlite.django_engine(node)
        if value is None:
            return None
        return Draft(value, Form.SQLITE, "sqlite", scope, known=(Service.POSTGRES, _SQLITE_WORDS))

    def _handed_on(self, node: ast.Call, scope: Scope, full: str) -> Draft | None:
        """Return the use that a call of another file's helper function or fake class is."""
        if found := self._inherited.fake(full):
            return Draft(node, Form.FAKE_CLASS, full, scope, target=found.target, known=found.known)
        if found := self._inherited.helper(full):
            return Draft(node, Form.INHERITED, full, scope, known=found.known)
        return None

    def bases(self, node: ast.ClassDef, bases: Sequence[str], scope: Scope) -> Iterator[Draft]:
        """Yield the uses that a class has from its bases."""
        for base in bases:
            library = fakes.library_of(base)
            if library:
                yield self._fake(node.bases[bases.index(base)], scope, base, library)
            elif found := self._inherited.base(base):
                yield Draft(node, Form.INHERITED, base, scope, known=found.known)

    def fake_class(self, node: ast.ClassDef, bases: Sequence[str], scope: Scope) -> Draft | None:
        """Return the use that a class is which stands for a client."""
        found = fake_class(node, bases, self._context)
        if not found:
            return None
        return Draft(node, Form.FAKE_CLASS, f"{self._module}.{node.name}", scope, names=[node.name], known=found)


def _spoken(library: fakes.Fake) -> str:
    return "a service" if library.service is Service.OTHER else library.service.value
