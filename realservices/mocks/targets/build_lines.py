"""Changes of a text by the places of its syntax, and the `load` statements of a BUILD file."""

from __future__ import annotations

import ast


class Lines:
    """Replacements in a text by the places of syntax, the last first."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        starts = [0]
        for line in self._text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self._changes: list[tuple[int, int, str]] = []

    def offset(self, line: int, column: int) -> int:
        """Return the place of a line and column."""
        return self._starts[line - 1] + column

    def end(self, node: ast.expr) -> int:
        """Return the place behind an expression."""
        return self.offset(node.end_lineno or 1, node.end_col_offset or 0)

    def line_at(self, number: int) -> str:
        """Return a line."""
        return self._text[self._starts[number - 1] : self._starts[number]].decode()

    def replace(self, node: ast.expr, new: str) -> None:
        """Have a text stand in place of an expression."""
        self._changes.append((self.offset(node.lineno, node.col_offset), self.end(node), new))

    def insert(self, place: int, new: str) -> None:
        """Have a text stand at a place."""
        self._changes.append((place, place, new))

    def text(self) -> str:
        """Return the changed text."""
        data = self._text
        for begin, end, new in sorted(self._changes, reverse=True):
            data = data[:begin] + new.encode() + data[end:]
        return data.decode()


def quoted(text: str) -> str:
    """Return a text as BUILD files have it."""
    return f'"{text}"'


def _loads(tree: ast.Module) -> list[ast.Call]:
    return [
        node.value
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "load"
    ]


def with_load(text: str, file: str, symbol: str) -> str:
    """Return the file with a load of a symbol."""
    loads = _loads(ast.parse(text))
    lines = Lines(text)
    for call in loads:
        names = [each.value for each in call.args if isinstance(each, ast.Constant)]
        if names[:1] == [file]:
            if symbol in names:
                return text
            ordered = sorted(str(name) for name in [*names[1:], symbol])
            lines.replace(call, f"load({', '.join(map(quoted, [file, *ordered]))})")
            return lines.text()
    new = f"load({quoted(file)}, {quoted(symbol)})\n"
    if loads:
        lines.insert(lines.offset((loads[-1].end_lineno or 1) + 1, 0), new)
        return lines.text()
    docstring = ast.parse(text).body[:1]
    if docstring and isinstance(docstring[0], ast.Expr) and isinstance(docstring[0].value, ast.Constant):
        lines.insert(lines.end(docstring[0].value), f"\n\n{new.rstrip()}")
        return lines.text()
    return f"{new}\n{text}" if text.strip() else new


def without_load(text: str, symbol: str) -> str:
    """Return the file without the load of a symbol that it does not use any more."""
    tree = ast.parse(text)
    if any(isinstance(node, ast.Name) and node.id == symbol for node in ast.walk(tree)):
        return text
    for call in _loads(tree):
        names = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
        if symbol not in names[1:]:
            continue
        lines = Lines(text)
        kept = [name for name in names[1:] if name != symbol]
        if kept or call.keywords:
            lines.replace(
                call, f"load({', '.join(map(quoted, [names[0], *kept]))})" if not call.keywords else ast.unparse(call)
            )
            return lines.text()
        rows = text.splitlines(keepends=True)
        return "".join(rows[: call.lineno - 1] + rows[(call.end_lineno or call.lineno) :])
    return text
