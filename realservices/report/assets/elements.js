// Elements and words that all parts of the page are made of. Everything from the report becomes text, never markup.

const report = JSON.parse(document.getElementById("data").textContent);

// What each status is called, and a sign for it: colour is never the only difference.
const STATUS = {
  failed: ["Failed", "✕"],
  timed_out: ["Timed out", "◔"],
  service_failed: ["Service failed", "▲"],
  machine_failed: ["Machine failed", "■"],
  not_built: ["Not built", "∅"],
  not_finished: ["Not finished", "…"],
  flaky: ["Flaky", "≈"],
  passed: ["Passed", "✓"],
  skipped: ["Skipped", "○"],
};
const FAILURES = ["failed", "timed_out", "service_failed", "machine_failed", "not_built", "not_finished"];
const CACHE = { local: "up to date", disk: "disk cache", remote: "remote cache" };

/** Makes an element: attributes (functions become listeners; null and false leave it out), then children. */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function badge(status) {
  const [word, sign] = STATUS[status] || [status, "?"];
  return h("span", { class: `badge ${status}` }, h("span", { "aria-hidden": "true" }, sign), ` ${word}`);
}

function plural(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function megabytes(number) {
  return number === null || number === undefined ? "–" : `${Math.round(number)} MB`;
}

function moment(epochMs) {
  return epochMs ? new Date(epochMs).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "";
}

/** A table that scrolls by itself on a narrow screen, also by keyboard. Cells that are [text] are numbers. */
function table(caption, heads, rows) {
  const cell = (value, index) =>
    index === 0
      ? h("th", { scope: "row" }, value)
      : h("td", { class: Array.isArray(value) ? "number" : null }, ...[value].flat());
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", null,
      h("caption", null, caption),
      h("thead", null, h("tr", null, heads.map((head) =>
        h("th", { scope: "col", class: Array.isArray(head) ? "number" : null }, ...[head].flat())))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map(cell))))));
}

/** Text in a box that opens; it is made when it is first opened. */
function folded(title, make, open) {
  const details = h("details", { class: "fold" }, h("summary", null, title));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(...[make()].flat());
  };
  details.addEventListener("toggle", fill);
  if (open) {
    details.open = true;
    fill();
  }
  return details;
}

function logBox(log, mostLines) {
  const lines = log.text.replace(/\n$/, "").split("\n");
  const shown = mostLines ? lines.slice(-mostLines) : lines;
  const isCut = shown.length < lines.length || log.omitted_bytes > 0;
  return [
    isCut ? h("p", { class: "note" }, `The end of ${log.name}.`) : null,
    h("pre", { tabindex: "0", role: "region", "aria-label": log.name }, shown.join("\n") || "(empty)"),
  ].filter(Boolean);
}

function targetLink(label) {
  const index = report.targets.findIndex((target) => target.label === label);
  return index < 0 ? h("code", null, label) : h("a", { href: `#target-${index}` }, label);
}
