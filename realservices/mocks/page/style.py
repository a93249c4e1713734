"""The page's style, as that of the report's page: contrast is WCAG AA in light and in dark."""

# ruff: noqa: E501

STYLE = """\
/* As the report's page: text first, never colour alone. Contrast is WCAG AA in light and in dark. */
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --surface: #ffffff; --sunken: #f3f3f1; --line: #d9d8d4; --text: #1c1c1a; --quiet: #5b5a56;
  --focus: #0b57b0; --bad: #b3261e; --simple: #1d6f33; --moderate: #785a00; --complex: #9a4700; --run: #4d7fbf; --rest: #c9c7c0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141618; --surface: #1b1e21; --sunken: #101214; --line: #35393e; --text: #e9e7e3; --quiet: #a9adb3;
    --focus: #8ab8f5; --bad: #ff8f86; --simple: #84d699; --moderate: #ecca62; --complex: #ffb26e; --run: #5b8fd1; --rest: #4a4f55;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
#page { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: .25rem 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 0 0 .75rem; }
p { margin: .5rem 0; }
code { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.note { color: var(--quiet); font-size: .9rem; }
.bad h2 { color: var(--bad); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -100vw; background: var(--surface); color: var(--focus); padding: .5rem 1rem; z-index: 1; }
.skip:focus { left: 1rem; top: 1rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
section { margin-top: 2.5rem; }
figure { margin: 0; }
figcaption { margin-bottom: .5rem; }
svg { display: block; width: 100%; max-width: 60rem; height: auto; background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .grid { stroke: var(--line); }
svg .line { fill: none; stroke: var(--run); stroke-width: 2.5; stroke-linejoin: round; }
svg .area { fill: var(--run); fill-opacity: .25; }
svg .staying { fill: var(--rest); }
svg circle { fill: var(--run); }
.legend { color: var(--quiet); font-size: .9rem; }
.key { display: inline-block; width: 1.4rem; height: .7rem; border-radius: 3px; margin: 0 .25rem 0 .75rem; }
.key.area { background: var(--run); margin-left: 0; } .key.staying { background: var(--rest); }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem 2.5rem; align-items: start; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.share { display: block; min-width: 5rem; height: .8rem; background: var(--sunken); border-radius: 3px; }
.share span { display: block; height: 100%; background: var(--run); border-radius: 3px; }
details, .file { border-top: 1px solid var(--line); padding: .45rem 0; margin: 0; }
figure details { border: 0; margin-top: .5rem; }
summary { cursor: pointer; }
.path { font-weight: 500; }
.badge { font-weight: 600; font-size: .9rem; }
.simple { color: var(--simple); } .moderate { color: var(--moderate); } .complex { color: var(--complex); }
ol { list-style: none; margin: .5rem 0; padding: .5rem 1rem; background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
li { padding: .2rem 0; }
ul { padding-left: 1.25rem; }
@media (forced-colors: active) { .key, .share span { forced-color-adjust: none; } }
@media print { .skip { display: none; } details { break-inside: avoid; } }
@media (max-width: 40rem) { svg text { font-size: 22px; } }
"""
"""CSS."""
