"""How a function puts mocks in place of other things: decorators, `with`, `mocker.patch`."""

from __future__ import annotations

import ast

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.mock_paths import Fact, Kind
from realservices.mocks.convert.project_modules import full_name
from realservices.mocks.convert.test_facts import Mock
from realservices.mocks.convert.told_facts import Bound, ToldFacts
from realservices.mocks.scan_model import MockUse, Service


class PatchReader(ToldFacts):
    """Reads the patchers of one function."""

    def _read_decorators(self) -> None:
        free = [each.arg for each in self._function.args.args if each.arg != "self"]
        for decorator in reversed(self._function.decorator_list):
            if not isinstance(decorator, ast.Call) or not self._is_patch(decorator):
                self._note_fakes(decorator)
                continue
            has_argument = self._new_of(decorator) is None and self._patcher(decorator) != "patch.dict"
            name = free.pop(0) if has_argument and free else ""
            mock = self._patched(decorator, name)
            if mock is None:
                continue
            self.edits.decorators.add(decorator.lineno)
            if name:
                self.edits.dropped_arguments.add(name)

    def _read_with(self, statement: ast.With | ast.AsyncWith) -> None:
        for number, item in enumerate(statement.items):
            call = item.context_expr
            if not isinstance(call, ast.Call) or not self._is_patch(call):
                self._note_fakes(call)
                continue
            name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else ""
            if self._patched(call, name) is not None:
                self.edits.unwrapped.add((statement.lineno, number))

    def _new_of(self, call: ast.Call) -> ast.expr | None:
        words = {word.arg: word.value for word in call.keywords}
        place = 2 if self._patcher(call) == "patch.object" else 1
        return words.get("new") or (call.args[place] if len(call.args) > place else None)

    def _patched(self, call: ast.Call, name: str) -> Mock | None:
        """Return the mock that a patcher puts in place, None where it is none of a service and stays."""
        use = self._use(call)
        if use is None or self._reader.is_kept(use):
            return None
        if self._patcher(call) not in ("patch", "patch.object"):
            raise self._refusal(
                call,
                "a dictionary or several names are replaced",
                "write monkeypatch.setitem with what the code is to find",
            )
        target = self._target(call, use)
        self._reading.installed.add(call.lineno)
        words = {word.arg: word.value for word in call.keywords}
        new = self._new_of(call)
        if isinstance(new, ast.Name | ast.Attribute) and (bound := self._lookup(new)):
            if bound.prefix:
                raise self._refusal(call, "a part of another mock is put in place", "hand the real object over")
            bound.mock.target = target
            return bound.mock
        if new is not None and not mock_paths.is_maker(new, self._imports) and use.service is not Service.FILES:
            raise self._refusal(
                call,
                "what is put in place is no mock that can be read",
                "put the real client there by monkeypatch.setattr",
            )
        is_async = "AsyncMock" in ast.unparse(call)
        mock = Mock(
            name or f"patch of {target}", use, target, is_async=is_async, line=call.lineno, path=str(self._module.path)
        )
        mock.is_created = "create" in words
        self._reading.mocks.append(mock)
        if isinstance(new, ast.Call):
            if mock_paths.is_maker(new, self._imports):
                self._add(mock, mock_paths.facts_of_maker(new, self._imports), ())
            else:
                mock.facts.append(Fact((), Kind.IS, new, call.lineno))
        elif new is not None:
            mock.facts.append(Fact((), Kind.IS, new, call.lineno))
        for word in ("return_value", "side_effect"):
            if word in words:
                kind = Kind.RETURNS if word == "return_value" else Kind.EFFECT
                self._add(mock, [Fact((), kind, words[word], call.lineno)], ())
        if name:
            self.bound[name] = Bound(mock)
        return mock

    def _target(self, call: ast.Call, use: MockUse) -> str:
        first = call.args[0] if call.args else None
        if isinstance(first, ast.Constant) and self._patcher(call) == "patch":
            return str(first.value)
        if self._patcher(call) == "patch.object" and first is not None and len(call.args) > 1:
            second = call.args[1]
            base = full_name(first, self._imports)
            if base and isinstance(second, ast.Constant):
                return f"{base}.{second.value!s}"
        if use.target:
            return use.target
        raise self._refusal(call, "it cannot be told what is replaced", "name it in a text")
