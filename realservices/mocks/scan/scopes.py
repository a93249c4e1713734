"""What names stand for: modules, classes and functions by full dotted names, through imports, aliases and shadows.

A name that holds an instance is bound to its class with `()` behind it: `client = redis.Redis()` to `redis.Redis()`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INSTANCE = "()"


class Scope:
    """A module, a class or a function, and what its names are bound to.

    Attributes:
        name: Its qualified name within the module; "" for the module.
        kind: "module", "class" or "function".
        bound: Full names by name; "" for a name of which nothing is known. In classes also "self.name".
    """

    __slots__ = ("bound", "kind", "name", "node", "parent")

    def __init__(self, kind: str, name: str = "", parent: Scope | None = None, node: ast.AST | None = None) -> None:
        self.kind = kind
        self.name: str = f"{parent.name}.{name}" if parent and parent.name else name
        self.parent = parent
        self.node = node
        self.bound: dict[str, str] = {}

    def chain(self) -> Iterator[Scope]:
        """Yield this scope and those around it whose names are seen from here."""
        scope: Scope | None = self
        while scope:
            if scope is self or scope.kind != "class":
                yield scope
            scope = scope.parent

    def owner(self) -> Scope | None:
        """Return the class whose `self` is seen from here."""
        scope: Scope | None = self
        while scope and scope.kind != "class":
            scope = scope.parent
        return scope

    def bind(self, name: str, full: str) -> None:
        """Bind a name; one with a "self." before it, in the class."""
        holder = (self.owner() or self) if name.startswith("self.") else self
        if full or name not in holder.bound:
            holder.bound[name] = full

    def lookup(self, name: str) -> str | None:
        """Return what a name is bound to, None where it is not."""
        if name.startswith("self."):
            owner = self.owner()
            return owner.bound.get(name) if owner else None
        for scope in self.chain():
            if name in scope.bound:
                return scope.bound[name]
        return None


def dotted(node: ast.AST) -> str:
    """Return the text of a name with attributes, `cls` as `self`, "" where a node is none."""
    text = written(node)
    return "self" + text[3:] if text == "cls" or text.startswith("cls.") else text


def written(node: ast.AST) -> str:
    """Return the text of a name with attributes as it is written, "" where a node is none."""
    if node.__class__ is ast.Name:  # Most are; this is asked of every target, call and argument.
        name: str = node.id
        return name
    if node.__class__ is not ast.Attribute:
        return ""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def resolve(text: str, scope: Scope) -> str:
    """Return the full name of a dotted text as it is seen from a scope; "" where it is unknown."""
    if not text:
        return ""
    head, _, rest = text.partition(".")
    if head == "self":
        attribute, _, rest = rest.partition(".")
        head = f"self.{attribute}"
    full = scope.lookup(head)
    if full is None:
        full = "" if head.startswith("self.") else f"builtins.{head}"
    return f"{full}.{rest}" if full and rest else full


def import_bindings(node: ast.Import) -> Iterator[tuple[str, str]]:
    """Yield name and full name for each that an `import` binds."""
    for alias in node.names:
        if alias.asname:
            yield alias.asname, alias.name
        else:
            head = alias.name.partition(".")[0]
            yield head, head


def absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """Return the full name of the module that a `from … import` names, seen from a module."""
    if not node.level:
        return node.module or ""
    parts = module.split(".") if module else []
    drop = node.level - (1 if is_package else 0)
    parts = parts[: len(parts) - drop] if drop else parts
    return ".".join([*parts, *([node.module] if node.module else [])])


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterable[ast.arg]:
    """Return all parameters, in order."""
    own = node.args
    more = [one for one in (own.vararg, own.kwarg) if one]
    return [*own.posonlyargs, *own.args, *own.kwonlyargs, *more]


def annotation_text(node: ast.AST | None) -> str:
    """Return the dotted class of an annotation: of `Redis | None`, `Optional[Redis]`, `"Redis"` it is `Redis`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.split("|")[0].split("[")[-1].strip(" ]\"'")
        return text if text.replace(".", "").isidentifier() else ""
    if isinstance(node, ast.BinOp):
        return annotation_text(node.left) or annotation_text(node.right)
    if isinstance(node, ast.Subscript):
        inner = node.slice
        return annotation_text(inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner)
    return dotted(node) if node else ""
