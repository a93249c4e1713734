"""A call of a service in code under test, in the terms of the test that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

    from realservices.mocks.convert.caught import Caught
    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.sql_text import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCall:
    """A method that code under test calls on something that is not the project's own.

    Attributes:
        method: Its name.
        receiver: What it is called on, in the code's own words.
        node: The call, in the test's terms.
        statement: The SQL of its first argument, if there is one.
        is_awaited: It stands behind `await`.
        is_entered: It stands in a `with`.
        is_returned: The test gets its result as it is.
        line: Of the test: where it calls what leads here.
        module: Where the call stands.
        caught: What is caught around it, in all functions that lead there, the innermost first.
        functions: The functions that lead there, the outermost first.
    """

    method: str
    receiver: str
    node: ast.Call
    statement: Statement | None
    is_awaited: bool
    is_entered: bool
    is_returned: bool
    line: int
    module: Module
    caught: Caught = ()
    functions: tuple[ast.AST, ...] = ()

    @property
    def arguments(self) -> list[ast.expr]:
        """Positional arguments; those behind the statement where there is one."""
        return list(self.node.args[1:] if self.statement else self.node.args)

    @property
    def keywords(self) -> dict[str, ast.expr]:
        """Arguments by name."""
        return {word.arg: word.value for word in self.node.keywords if word.arg}
