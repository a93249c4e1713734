"""The reference of the rules and of the module extension, as Markdown, from what Bazel extracts of the .bzl files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs_build.markdown import MADE, item, linked, names
from docs_build.textproto import Message, one, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

EXTRACTS = ("executable_service", "extension", "providers", "real_service_test", "rules")
"""What Bazel extracts, as targets of docs_build/BUILD.bazel; for a macro it is the rule behind it."""
_TYPES = {
    "BOOLEAN": "`True` or `False`",
    "INT": "number",
    "INT_LIST": "list of numbers",
    "LABEL": "label",
    "LABEL_LIST": "list of labels",
    "LABEL_STRING_DICT": "dict of labels to strings",
    "STRING": "string",
    "STRING_DICT": "dict of strings",
    "STRING_LIST": "list of strings",
    "STRING_LIST_DICT": "dict of lists of strings",
}
_EMPTY = ("", '""', "[]", "{}", "None")
_SET_BY_MACRO = "Set by the macro"
_RULES = """
```python
load("@rules_realservices//rules:defs.bzl", "postgres_service", "real_service_test")

postgres_service(
    name = "db",
    migrations = glob(["migrations/*.sql"]),
)

real_service_test(
    name = "users_test",
    srcs = ["users_test.py"],
    services = [":db"],
)
```

`@rules_realservices//rules:defs.bzl` has what stands on this page. Each target also takes what all rules of Bazel take,
such as `tags` and `visibility`.
"""


def starlark_pages(extracts: Mapping[str, str]) -> dict[str, str]:
    """Return the pages of the .bzl files by name.

    Args:
        extracts: The textproto of each of `EXTRACTS`.
    """
    others = {name: text for name, text in extracts.items() if name != "extension"}
    return {"rules": rules_page(others), "extension": extension_page(extracts["extension"])}


def rules_page(extracted: Mapping[str, str]) -> str:
    """Return the page of defs.bzl.

    Args:
        extracted: Textproto of ``rules`` and ``providers``, and of the rule behind each macro by the macro's name.
    """
    modules = {name: parse(text) for name, text in extracted.items()}
    module, providers = modules.pop("rules"), modules.pop("providers")
    behind = {name: behind["rule_info"][0] for name, behind in modules.items()}
    found = {one(rule, "rule_name"): _rule(rule) for rule in module["rule_info"]}
    for function in module["func_info"]:
        name = one(function, "function_name")
        found[name] = _function(function, behind.get(name))
    ready = {name: found.pop(name) for name in sorted(found) if name.endswith("_ready")}
    targets = dict(sorted(found.items()))
    own = {one(provider, "provider_name"): _provider(provider) for provider in providers["provider_info"]}
    own |= {one(each, "function_name"): _function(each, None) for each in providers.get("func_info", [])}
    index = [
        f"- Targets: {names(targets)}",
        f"- For the attribute `ready`: {names(ready)}",
        f"- For rules of your own, in `@rules_realservices//rules:providers.bzl`: {names(own)}",
    ]
    sections = [*targets.values(), *ready.values(), *own.values()]
    return _page("Rules", [_RULES.strip(), "\n".join(index), *sections])


def extension_page(extracted: str) -> str:
    """Return the page of extensions.bzl.

    Args:
        extracted: Its textproto.
    """
    module = parse(extracted)
    tags = {one(tag, "tag_name"): tag for tag in module["module_extension_info"][0]["tag_class"]}
    replaced = {name: tag for name, tag in tags.items() if name != "python"}
    shared = {one(each, "name") for each in replaced["postgres"]["attribute"]}
    sections = [
        linked(one(module, "module_docstring")).strip(),
        f"Tags: {names(['python', *sorted(replaced)])}",
        _section("python", tags["python"], _attributes("python", tags["python"])),
        "## Replaced binaries\n\nEach of the tags below has these attributes:",
        "\n".join(_attributes("replaced", replaced["postgres"])),
    ]
    for name, tag in sorted(replaced.items()):
        sections.append(_section(name, tag, _attributes(name, tag, without=shared)))
    return _page("Module extension", sections)


def _page(title: str, sections: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", MADE, *sections]) + "\n"


def _section(name: str, message: Message, items: Iterable[str], key: str = "doc_string") -> str:
    parts = [f"## {name}", linked(one(message, key)).strip(), "\n".join(items)]
    return "\n\n".join(filter(None, parts))


def _rule(rule: Message) -> str:
    name = one(rule, "rule_name")
    return _section(name, rule, _attributes(name, rule))


def _attributes(owner: str, message: Message, without: Collection[str] = ()) -> list[str]:
    return [
        item(owner, one(attribute, "name"), one(attribute, "doc_string"), _note(attribute))
        for attribute in message["attribute"]
        if one(attribute, "type") != "NAME"
        and one(attribute, "name") not in without
        and not one(attribute, "doc_string").startswith(_SET_BY_MACRO)
    ]


def _function(function: Message, behind: Message | None) -> str:
    name = one(function, "function_name")
    parameters = {one(each, "name"): each for each in function.get("parameter", [])}
    items = [item(name, each, one(found, "doc_string"), _note(found)) for each, found in parameters.items()]
    if behind:
        items += _attributes(name, behind, without=parameters)
    returned = one(function["return"][0], "doc_string") if "return" in function else ""
    return _section(name, function, items) + (f"\n\nReturns {returned[0].lower()}{returned[1:]}" if returned else "")


def _note(message: Message) -> str:
    default = one(message, "default_value")
    notes = [_TYPES.get(one(message, "type"), "")]
    notes += ["required"] if one(message, "mandatory") else []
    notes += [f"default `{default}`"] if default not in _EMPTY else []
    return ", ".join(filter(None, notes))


def _provider(provider: Message) -> str:
    name = one(provider, "provider_name")
    return _section(name, provider, [item(name, one(f, "name"), one(f, "doc_string")) for f in provider["field_info"]])
