"""How a test speaks with the real database: by asyncpg, psycopg, psycopg2 or a session of SQLAlchemy."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

ASYNCPG, ASYNCPG_SYNC = "asyncpg", "asyncpg, blocking"
PSYCOPG, PSYCOPG_ASYNC, PSYCOPG2 = "psycopg", "psycopg, asyncio", "psycopg2"
SESSION, SESSION_ASYNC = "session", "session, asyncio"
_AWAITED = {ASYNCPG, PSYCOPG_ASYNC, SESSION_ASYNC}


@dataclass(frozen=True, slots=True)
class Handle:
    """An object that statements are sent by.

    Attributes:
        style: Which API it has.
        name: What the test calls it.
    """

    style: str
    name: str

    @property
    def is_async(self) -> bool:
        """Whether it is to be awaited."""
        return self.style in _AWAITED

    def execute(self, sql: str, arguments: tuple[str, ...]) -> str:
        """Return the line that executes a statement with $1, $2, …."""
        return self._awaited(self._call("execute", sql, arguments))

    def commit(self) -> list[str]:
        """Return what makes rows stay, whatever the code under test does; asyncpg commits by itself."""
        if self.style in (ASYNCPG, ASYNCPG_SYNC):
            return []
        name = "isolated_psycopg2" if self.style == PSYCOPG2 else self.name
        return [self._awaited(f"{name}.commit()")]

    def value(self, sql: str, arguments: tuple[str, ...]) -> tuple[list[str], str]:
        """Return lines that come first, and the expression of a statement's only value."""
        if self.style in (ASYNCPG, ASYNCPG_SYNC):
            return [], self._awaited(self._call("fetchval", sql, arguments))
        call = self._call("execute", sql, arguments)
        if self.style == PSYCOPG2:
            return [call], f"{self.name}.fetchone()[0]"
        if self.style == PSYCOPG:
            return [], f"{call}.fetchone()[0]"
        if self.style == PSYCOPG_ASYNC:
            return [], f"(await (await {call}).fetchone())[0]"
        return [], f"({self._awaited(call)}).scalar()" if self.is_async else f"{call}.scalar()"

    def _call(self, method: str, sql: str, given: tuple[str, ...]) -> str:
        arguments = tuple(map(as_written, given))
        if self.style in (ASYNCPG, ASYNCPG_SYNC):
            return f"{self.name}.{method}({_listed(quoted(sql), arguments)})"
        if self.style in (SESSION, SESSION_ASYNC):
            named = re.sub(r"\$(\d+)", r":v\1", sql)
            pairs = ", ".join(f'"v{number}": {value}' for number, value in enumerate(arguments, 1))
            return f"{self.name}.{method}({_listed(f'text({quoted(named)})', (f'{{{pairs}}}',) if arguments else ())})"
        order = [int(number) - 1 for number in re.findall(r"\$(\d+)", sql)]
        text = quoted(re.sub(r"\$\d+", "%s", sql.replace("%", "%%") if arguments else sql))
        values = ", ".join(arguments[place] for place in order)
        comma = "," if len(order) == 1 else ""
        return f"{self.name}.{method}({_listed(text, (f'({values}{comma})',) if order else ())})"

    def _awaited(self, text: str) -> str:
        return f"await {text}" if self.is_async else text


def quoted(text: str) -> str:
    """Return a text as people write it in Python: in double quotes where that is possible."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in text else shown


def as_written(value: str) -> str:
    """Return a value with its text in double quotes."""
    try:
        node = ast.parse(value, mode="eval").body
    except SyntaxError:
        return value
    return quoted(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else value


def _listed(first: str, rest: tuple[str, ...]) -> str:
    return ", ".join([first, *rest])
