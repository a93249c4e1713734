"""The reference of `[tool.realservices]`, from what checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs_build.markdown import MADE, names
from realservices.contract.shapes import describe
from realservices.kinds import registry
from realservices.sources.declaration_shapes import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXAMPLE = """
```toml
# pyproject.toml
[tool.realservices.services.db]
kind = "postgres"
migrations = ["migrations/*.sql"]

[tool.realservices.services.cache]
kind = "redis"

[tool.realservices.services.api]
kind = "executable"
command = ["{python}", "-m", "shop.server", "--port", "$(port)"]
env = { DATABASE_URL = "$(url db)" }
ready = { http = "/health" }
services = ["db"]

[tool.realservices.env]
APP_DATABASE = "$(url db)"
```

`realservices.toml` in the same directory takes the same tables, without `tool.realservices.` before their names.
[pytest.md](../pytest.md) says how a project uses them. A key that is not on this page is an error.

A key that is a link means what the attribute of that name means in a BUILD file.
"""
# Of keys that no rule has.
_MEANINGS = {
    "command": "The program and its arguments. `{python}` is the interpreter of the tests.",
    "env": 'Variables for the tests, such as `DATABASE_URL = "$(url db)"`.',
    "fixed_ports": "Ports by their names, for `up` and `DevLauncher` without dynamic ports.",
    "inputs": "Files that decide what the service does, beside those that are known: a change starts it anew.",
    "isolation": "What `isolated_database` is: a transaction that is rolled back, or a database of its own.",
    "password": "Whether clients need a password.",
    "services": "The services by their names: one table each, with a `kind`.",
    "warm": "Whether services wait for the next session ([warm.md](../warm.md)).",
    "warm_idle_s": "How long they wait for it.",
}


def configuration_page(rules: str) -> str:
    """Return the page of what a project may declare.

    Args:
        rules: The page of the rules, whose attributes are linked to.
    """
    kinds = {name: registry.find(name) for name in registry.names()}
    parts = [
        "# Configuration",
        MADE,
        _EXAMPLE.strip(),
        f"Kinds of services: {names(kinds)}",
        "## The project\n\nKeys of `[tool.realservices]`:",
        "\n".join(_keys("", PROJECT, rules)),
    ]
    for name, kind in kinds.items():
        shape = registry.load(kind, kind.declared).keys
        parts += [f"## {name}", f'Keys of a service with `kind = "{name}"`:', "\n".join(_keys(name, shape, rules))]
    return "\n\n".join(parts) + "\n"


def _keys(kind: str, shape: Mapping[str, Any], rules: str) -> Iterator[str]:
    for key, value in sorted(shape.items()):
        name = key.removesuffix("?")
        attribute = f"{kind}_service-{name}"
        if f'<a id="{attribute}">' in rules:
            yield f"- [`{name}`](rules.md#{attribute}): {_words(value)}"
        elif name in _MEANINGS:
            yield f"- `{name}`: {_words(value)}. {_MEANINGS[name]}"
        else:
            raise ValueError(f"{kind}: no rule has the key {name!r}: say in {__name__} what it means")


def _words(shape: Any) -> str:
    if isinstance(shape, dict) and len(shape) == 1:
        (value,) = shape.values()
        return "a table" if value is object else f"a table of names, each with {describe(value)}"
    return describe(shape)
