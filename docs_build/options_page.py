"""The reference of the command line's options, from the parsers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from docs_build.markdown import MADE, linked, names
from realservices.cli.main import COMMANDS, _parser

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXAMPLE = """
```console
$ python -m realservices up --help
```

[command_line.md](../command_line.md) says with examples what the commands do.
"""


def options_page() -> str:
    """Return the page of all commands."""
    found = dict(_commands(_parser(COMMANDS), ()))
    sections = [_section(name, parser) for name, parser in found.items()]
    parts = ["# Options of the command line", MADE, _EXAMPLE.strip(), f"Commands: {names(found)}", *sections]
    return "\n\n".join(parts) + "\n"


def _commands(parser: argparse.ArgumentParser, name: tuple[str, ...]) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    if name:
        yield " ".join(name), parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from _commands(inner, (*name, word))


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS and _head(action)]
    items = [f"- `{_head(action)}`: {linked(_help(action))}".rstrip(": ") for action in actions]
    return "\n\n".join(filter(None, [f"## {name}", linked(parser.description or "").strip(), "\n".join(items)]))


def _head(action: argparse.Action) -> str:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return ""
    return f"{', '.join(action.option_strings)} {_value(action)}".strip()


def _value(action: argparse.Action) -> str:
    if action.metavar:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    if action.nargs == 0:
        return ""
    return action.dest.upper() if action.option_strings else action.dest


def _help(action: argparse.Action) -> str:
    text = " ".join((action.help or "").split())
    return text % {**vars(action), "prog": "realservices"} if "%" in text else text
