"""The page: one HTML file with its data, its style and its script in it, which needs no network and no server.

The script makes everything from the data, as text and never as markup. What failed is in the page itself as well, for
readers that run no script, as some archives of build results serve their pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from realservices.report.report_model import FAILURES, Target

_SCRIPTS = ("elements.js", "timeline.js", "details.js", "sections.js", "table.js")
# Inside of a script element only these can end it or start another state of the HTML parser; the two line separators
# are no longer special in today's JavaScript, but are in older readers. All are the same characters to JSON.parse.
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def render(title: str, targets: Sequence[Target], report_json: str) -> str:
    """Return the page.

    Args:
        title: What was run.
        targets: What the page says where no script runs.
        report_json: The whole report.
    """
    parts = {
        "TITLE": escape(title),
        "STYLE": _asset("page.css"),
        "FALLBACK": _fallback(title, targets),
        "DATA": report_json.translate(_ESCAPES),
        "SCRIPT": "\n".join(map(_asset, _SCRIPTS)),
    }
    pieces = _asset("page.html").split("@@")  # Text, name, text, name, …: a part is never looked through for names.
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def _asset(name: str) -> str:
    return files("realservices.report").joinpath("assets", name).read_text(encoding="utf-8")


def _fallback(title: str, targets: Sequence[Target]) -> str:
    failed = [target for target in targets if target.status in FAILURES]
    entries = "".join(
        f"<li>{escape(target.label)}: {target.status.replace('_', ' ')}<pre>{escape(target.why)}</pre></li>"
        for target in failed
    )
    counted = f"{len(failed)} of {len(targets)} test targets did not pass."
    return f"<h1>{escape(title)}</h1><p>{counted} The rest of this page needs JavaScript.</p><ul>{entries}</ul>"
