"""The transformer of a file: functions, statements and names that a plan changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from realservices.mocks.convert.code_parts import body as with_top
from realservices.mocks.convert.code_parts import is_docstring, leading, parameters, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from realservices.mocks.convert.test_facts import FunctionEdits

_REQUEST = '''@pytest.fixture(autouse=True)
def take_request(self, request):
    """Have the tests of this class ask for fixtures by name."""
    self.request = request
'''


def changed(
    text: str, edits: Mapping[int, FunctionEdits], gone: set[int], cases: Set[str], copies: Mapping[int, str]
) -> cst.Module:
    """Return a file with its functions changed; see `rewrite`."""
    return MetadataWrapper(cst.parse_module(text)).visit(_Rewriter(edits, gone, cases, copies))


class _Rewriter(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(
        self, edits: Mapping[int, FunctionEdits], gone: set[int], cases: Set[str], copies: Mapping[int, str]
    ) -> None:
        super().__init__()
        self._copies = copies
        self._edits, self._gone, self._cases = edits, gone, cases
        self._stack: list[FunctionEdits | None] = []
        self._words = 0
        self._comments: list[cst.EmptyLine] = []

    # Functions.

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        own = self._edits.get(self._line(node))
        self._stack.append(own if own is not None or not self._stack else self._stack[-1])

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]:
        self._stack.pop()
        line = self._line(original_node)
        if line in self._gone:
            return cst.RemoveFromParent()
        edits = self._edits.get(line)
        if edits is None:
            return updated_node
        decorators = [
            new
            for old, new in zip(original_node.decorators, updated_node.decorators, strict=True)
            if self._line(old.decorator) not in edits.decorators
        ]
        known = {cst.Module([]).code_for_node(each.decorator) for each in decorators}
        wanted = [*(f"pytest.mark.{name}" for name in edits.markers), *edits.new_decorators]
        markers = [cst.Decorator(cst.parse_expression(each)) for each in wanted if each not in known]
        changed = updated_node.with_changes(
            decorators=[*markers, *decorators],
            params=parameters(updated_node.params, edits),
            body=with_top(updated_node.body, edits.top),
            name=cst.Name(edits.name) if edits.name else updated_node.name,
            asynchronous=cst.Asynchronous() if edits.becomes_async else updated_node.asynchronous,
        )
        if line not in self._copies:
            return changed
        lines = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
        return cst.FlattenSentinel(
            [original_node, changed.with_changes(name=cst.Name(self._copies[line]), leading_lines=lines)]
        )

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        if original_node.name.value not in self._cases or "def take_request(" in cst.Module([]).code_for_node(
            updated_node
        ):
            return updated_node
        if not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        statements = list(updated_node.body.body)
        at = 1 if is_docstring(statements[0]) else 0
        fixture = cst.parse_statement(_REQUEST)
        if at < len(statements):
            lines = [
                cst.EmptyLine(indent=False),
                *(each for each in leading(statements[at]) if each.comment is not None),
            ]
            statements[at] = statements[at].with_changes(leading_lines=lines)
        if at:
            fixture = fixture.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        return updated_node.with_changes(
            body=updated_node.body.with_changes(body=[*statements[:at], fixture, *statements[at:]])
        )

    # Statements.

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        edits, line = self._current, self._line(original_node)
        if edits is None:
            return updated_node
        if line in edits.replaced:
            kept: list[cst.BaseStatement] = parsed(edits.replaced[line])
        elif line in edits.removed:
            kept = []
        else:
            kept = [updated_node]
        return self._placed(updated_node.leading_lines, self._before(line), kept)

    def leave_With(
        self, original_node: cst.With, updated_node: cst.With
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        edits, line = self._current, self._line(original_node)
        if edits is None:
            return updated_node
        before = self._before(line)
        items = [item for number, item in enumerate(updated_node.items) if (line, number) not in edits.unwrapped]
        if len(items) == len(updated_node.items):
            return self._placed(updated_node.leading_lines, before, [updated_node]) if before else updated_node
        if not items and isinstance(updated_node.body, cst.IndentedBlock):
            return self._placed(updated_node.leading_lines, before, list(updated_node.body.body))
        items[-1] = items[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return self._placed(updated_node.leading_lines, before, [updated_node.with_changes(items=items)])

    def _with_seeds(
        self, original_node: cst.BaseStatement, updated_node: cst.BaseStatement
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """Return a statement with what comes before it."""
        before = self._before(self._line(original_node))
        return cst.FlattenSentinel([*before, updated_node]) if before else updated_node

    leave_For = leave_Try = leave_If = _with_seeds  # noqa: N815 - LibCST's names

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        self._comments = []
        if not updated_node.body:
            return updated_node.with_changes(body=[cst.parse_statement("pass")])
        return updated_node

    def _placed(
        self, leading: Sequence[cst.EmptyLine], before: list[cst.BaseStatement], kept: list[cst.BaseStatement]
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        """Return statements in place of one, with its comments; those of one that goes wait for the next."""
        statements = [*before, *kept]
        if not statements:
            self._comments += [each for each in leading if each.comment is not None]
            return cst.RemoveFromParent()
        original = kept[0] if kept else None
        for place, each in enumerate(statements):
            if place == 0:
                new = () if each is original and not before else getattr(each, "leading_lines", ())
                lines = [*leading, *self._comments, *(new if list(new) != list(leading) else ())]
                statements[0] = each.with_changes(leading_lines=lines)
                self._comments = []
            elif place == len(before) and list(getattr(each, "leading_lines", ())) == list(leading):
                statements[place] = each.with_changes(leading_lines=())
        return cst.FlattenSentinel(statements)

    # Names.

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        edits = self._current
        if edits is None or not (edits.calls or edits.spans):
            return updated_node
        whole = self.get_metadata(PositionProvider, original_node)
        place, end = whole.start, whole.end
        new = edits.spans.get((place.line, place.column, end.line, end.column))
        new = new or edits.calls.get((place.line, place.column))
        return cst.parse_expression(new) if new else updated_node

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.BaseExpression:
        edits = self._current
        if edits is None or not edits.texts:
            return updated_node
        place = self.get_metadata(PositionProvider, original_node).start
        new = edits.texts.get((place.line, place.column))
        return cst.parse_expression(new) if new else updated_node

    def _begin_word(self, node: cst.CSTNode) -> None:
        del node
        self._words += 1

    def _end_word(self, node: cst.CSTNode) -> None:
        del node
        self._words -= 1

    visit_Attribute_attr = visit_Arg_keyword = visit_Param_name = _begin_word  # noqa: N815 - LibCST's names
    leave_Attribute_attr = leave_Arg_keyword = leave_Param_name = _end_word  # noqa: N815

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        edits = self._stack[-1] if self._stack and not self._words else None
        new = edits.renames.get(original_node.value) if edits is not None else None
        return cst.parse_expression(new) if new else updated_node

    @property
    def _current(self) -> FunctionEdits | None:
        """What changes in the function that is being left, or around it."""
        return self._stack[-1] if self._stack else None

    def _before(self, line: int) -> list[cst.BaseStatement]:
        """Return the statements to be put before a line."""
        return parsed(self._current.before.get(line, ())) if self._current else []

    def _line(self, node: cst.CSTNode) -> int:
        return int(self.get_metadata(PositionProvider, node).start.line)
