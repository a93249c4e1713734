"""The services of a compose file, as far as they say what they are: image or build, and environment.

Lines and their indentation are enough for that; a library for YAML would be one more dependency of everybody's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(r"^(?P<indent> *)(?:- *)?(?P<key>[\w./-]+) *[:=] *(?P<value>.*?) *(?:#.*)?$")
_IMAGE = re.compile(r"^(?:.*/)?(?P<name>[\w.-]+)(?::(?P<tag>[\w.-]+))?(?:@.*)?$")


@dataclass(slots=True)
class Image:
    """One service of a compose file.

    Attributes:
        service: Its name there.
        where: File and line.
        name: The image's name without registry, "" where it is built.
        tag: The image's tag.
        environment: What it is given.
        is_built: The project builds it.
    """

    service: str
    where: str
    name: str = ""
    tag: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    is_built: bool = False


def read_compose(file: str, text: str) -> list[Image]:
    """Return the services of a file.

    Args:
        file: Its name, for messages.
        text: What it holds.
    """
    found: list[Image] = []
    service_indent: int | None = None
    is_in_services = False
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line)
        if match is None:
            continue
        indent, key, value = len(match["indent"]), match["key"], match["value"].strip("'\"")
        if indent == 0:
            is_in_services, service_indent = key == "services", None
        elif is_in_services and (service_indent is None or indent == service_indent):
            service_indent = indent
            found.append(Image(key, f"{file}:{number}"))
        elif is_in_services and found:
            _take(found[-1], key, value)
    return found


def merged(images: Iterable[Image]) -> list[Image]:
    """Return each service once: further files change what the first one says."""
    found: dict[str, Image] = {}
    for image in images:
        first = found.setdefault(image.service, image)
        if first is not image:
            first.is_built |= image.is_built
            first.environment |= image.environment
            if image.name and not first.name:
                first.name, first.tag, first.where = image.name, image.tag, image.where
    return [*found.values()]


def _take(image: Image, key: str, value: str) -> None:
    if key == "build" or (key == "image" and value.startswith("$")):
        image.is_built = True
    elif key == "image" and (match := _IMAGE.match(value)):
        image.name, image.tag = match["name"], match["tag"] or ""
    elif key.isupper() and value:
        image.environment[key] = value
