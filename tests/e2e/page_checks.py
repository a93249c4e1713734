"""What the tests of the report's page look at: results, contrast, names, the order of the Tab key, speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chromium import Chromium

# WCAG 2.1: 1.4.3 for text, 1.4.11 for what shows where a control is.
_CONTRAST = """
const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const over = (top, under) => {
  const mixed = (name) => top[name] * top.a + under[name] * (1 - top.a);
  return { r: mixed('r'), g: mixed('g'), b: mixed('b'), a: 1 };
};
const ratio = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = parse(getComputedStyle(at).backgroundColor);
    if (color.a === 1) return color;
  }
  return { r: 255, g: 255, b: 255 };
};
"""
_FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"
_NAME = "(e) => (e.labels && e.labels.length ? e.labels[0] : e).textContent.trim() || e.getAttribute('aria-label') || e.tagName"


def results(browser: Chromium) -> dict[str, str]:
    """Return the words for the result of each target that the table shows."""
    return dict(
        browser.run("""
        [...document.querySelectorAll('.targets > tbody > tr:not(.more):not([hidden])')].map((row) =>
            [row.querySelector('.open').textContent, row.querySelector('.badge').textContent])
    """)
    )


def open_everything(browser: Chromium) -> None:
    """Open every target and everything that folds."""
    browser.run("document.querySelectorAll('.open').forEach((button) => button.click())")
    browser.run("""new Promise((done) => {
        document.querySelectorAll('details').forEach((one) => { one.open = true; });
        requestAnimationFrame(() => setTimeout(() => {
            document.querySelectorAll('details').forEach((one) => { one.open = true; });
            requestAnimationFrame(() => setTimeout(done));
        }));
    })""")


def weak_texts(browser: Chromium, within: str = "#page") -> list[Any]:
    """Return texts with less contrast than 4.5 to 1.

    Args:
        browser: It shows the page.
        within: Selector of the element that is looked at.
    """
    found: list[Any] = browser.run(f"""(() => {{ {_CONTRAST}
        const walker = document.createTreeWalker(document.querySelector('{within}'), NodeFilter.SHOW_TEXT);
        const weak = [];
        while (walker.nextNode()) {{
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
            const under = behind(element);
            const found = ratio(over(parse(getComputedStyle(element).color), under), under);
            if (found < 4.5) weak.push([walker.currentNode.data.slice(0, 40), found]);
        }}
        return weak;
    }})()""")
    return found


def weak_controls(browser: Chromium) -> list[Any]:
    """Return input fields whose border has less contrast than 3 to 1 to what is around them."""
    found: list[Any] = browser.run(f"""(() => {{ {_CONTRAST}
        return [...document.querySelectorAll('input, select')].map((one) =>
            [one.id, ratio(parse(getComputedStyle(one).borderTopColor), behind(one.parentElement))]).filter(([, found]) => found < 3);
    }})()""")
    return found


def reachable(browser: Chromium) -> list[str]:
    """Return the names of what is meant to be reached by the Tab key, in the order of the page."""
    script = f'[...document.querySelectorAll("{_FOCUSABLE}")].filter((e) => e.getClientRects().length).map({_NAME})'
    found: list[str] = browser.run(script)
    return found


def tab_through(browser: Chromium) -> list[str]:
    """Press Tab until the focus leaves the page, and return the names of what had it; each must be seen to have it."""
    reached: list[str] = []
    browser.run("window.seen = new Set()")
    for _ in range(1000):
        browser.press("Tab")
        name, outline = browser.run(f"""(() => {{
            const e = document.activeElement;
            if (e === document.body || seen.has(e)) return [null, ''];
            seen.add(e);
            const style = getComputedStyle(e);
            return [({_NAME})(e), style.outlineStyle === 'none' ? '' : style.outlineWidth];
        }})()""")
        if name is None:
            return reached
        assert outline == "3px", f"{name} does not show that it has the focus"
        reached.append(name)
    raise AssertionError("Tab never comes to an end")


def focus(browser: Chromium, text: str) -> None:
    """Give a button of the table the focus."""
    script = (
        f"[...document.querySelectorAll('.targets button')].find((e) => e.textContent === {json.dumps(text)}).focus()"
    )
    browser.run(script)


def fill(browser: Chromium, text: str) -> None:
    """Type into the filter."""
    browser.run(f"""(() => {{
        const field = document.getElementById('filter');
        field.value = {json.dumps(text)};
        field.dispatchEvent(new Event('input'));
    }})()""")


def time_of_filter_ms(browser: Chromium, text: str) -> float:
    """Return how long the page takes from a change of the filter until it is drawn."""
    browser.run("window.begin = performance.now()")
    fill(browser, text)
    frames = "requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)))"
    return float(browser.run(f"new Promise((done) => {frames})"))


def unnamed(browser: Chromium) -> list[str]:
    """Return roles of elements that need a name and have none: those that take the focus, and what is skipped to."""
    need = {"table", "region", "navigation", "figure"}
    return [
        node["role"]["value"]
        for node in browser.accessibility()
        if (node["role"]["value"] in need or _takes_focus(node)) and not node.get("name", {}).get("value", "").strip()
    ]


def _takes_focus(node: dict[str, Any]) -> bool:
    properties = {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])}
    return bool(properties.get("focusable"))


def skipped_headings(browser: Chromium) -> list[str]:
    """Return headings that lie more than one level below the one before; there must be one of the first level."""
    found: list[list[Any]] = browser.run(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => [Number(one.tagName[1]), one.textContent])"
    )
    assert [level for level, _ in found].count(1) == 1
    levels = [0, *(level for level, _ in found)]
    return [text for before, (level, text) in zip(levels, found, strict=False) if level > before + 1]


def multiplied(events: Path, output: Path, copies: int) -> Path:
    """Write a build event file with each target many times, under other labels, and return its path."""
    with output.open("w", encoding="utf-8") as file:
        for line in events.read_text(encoding="utf-8").splitlines():
            many = "//shop:" in line and not line.startswith('{"id":{"pattern"')
            for number in range(copies if many else 1):
                file.write((line.replace("//shop:", f"//shop{number}:") if many else line) + "\n")
    return output
