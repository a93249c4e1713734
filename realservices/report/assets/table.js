// All targets: a table to filter, sort and open. Then the page is put together.

const rows = report.targets.map((target, index) => ({ target, index, text: target.label.toLowerCase(), element: null, more: null }));
const filter = { text: "", status: "all" };
const COLUMNS = [
  ["Target", (target) => target.label],
  ["Result", (target) => Object.keys(STATUS).indexOf(target.status)],
  ["Time", (target) => target.duration_ms],
  ["Services ready", (target) => slowestServices(target) ?? -1],
  ["Shards", (target) => target.shards],
  ["Cached", (target) => target.cached / (target.attempts.length || 1)],
  ["CPU", (target) => cpuOf(target) ?? -1],
  ["Peak memory", (target) => peakOf(target) ?? -1],
];
let sorted = { column: 1, ascending: true };
let body, filterInput, statusSelect, found;

function resources(target, key) {
  return target.attempts.flatMap((attempt) => [attempt.program, ...attempt.services]).filter((one) => one && one[key] !== null).map((one) => one[key]);
}

function cpuOf(target) {
  const times = resources(target, "cpu_ms");
  return times.length ? times.reduce((sum, ms) => sum + ms, 0) : null;
}

function peakOf(target) {
  const sizes = resources(target, "peak_mb");
  return sizes.length ? Math.max(...sizes) : null;
}

function targetsSection() {
  filterInput = h("input", { type: "search", id: "filter", autocomplete: "off", spellcheck: "false", input: () => { filter.text = filterInput.value.trim().toLowerCase(); applyFilter(); } });
  const choices = [["all", "All results"], ["failures", "Everything that did not pass"], ...Object.keys(report.counts).map((status) => [status, STATUS[status][0]])];
  statusSelect = h("select", { id: "status", change: () => { filter.status = statusSelect.value; applyFilter(); } }, choices.map(([value, word]) => h("option", { value }, word)));
  found = h("p", { role: "status", class: "note" });
  body = h("tbody");
  const heads = COLUMNS.map(([name], column) => h("th", { scope: "col", class: column > 1 ? "number" : null, "aria-sort": "none" },
    h("button", { type: "button", class: "sort", click: () => sortBy(column) }, name, h("span", { class: "arrow", "aria-hidden": "true" }))));
  const whole = section("targets", "All targets",
    h("form", { class: "filters", submit: (event) => event.preventDefault() },
      h("label", { for: "filter" }, "Label contains"), filterInput,
      h("label", { for: "status" }, "Result"), statusSelect),
    found,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of all targets" },
      h("table", { class: "targets" }, h("caption", { class: "unseen" }, "All test targets; a target’s button shows its test actions"),
        h("thead", null, h("tr", null, heads)), body)));
  showSorted(heads);
  return whole;
}

function rowOf(entry) {
  const { target, index } = entry;
  const button = h("button", { type: "button", class: "open", "aria-expanded": "false", click: () => toggle(entry) }, target.label);
  entry.button = button;
  const cached = target.attempts.length ? `${target.cached} of ${target.attempts.length}` : "–";
  return h("tr", { id: `target-${index}` },
    h("th", { scope: "row" }, button),
    h("td", null, badge(target.status)),
    ...[duration(target.attempts.length ? target.duration_ms : null), duration(slowestServices(target)), String(target.shards), cached, duration(cpuOf(target)), megabytes(peakOf(target))]
      .map((text) => h("td", { class: "number" }, text)));
}

function toggle(entry, open = !entry.more) {
  if (open && !entry.more) {
    const id = `target-${entry.index}-more`;
    entry.more = h("tr", { id, class: "more" }, h("td", { colspan: String(COLUMNS.length) }, targetDetails(entry.target)));
    entry.element.after(entry.more);
    entry.button.setAttribute("aria-controls", id);
  } else if (!open && entry.more) {
    entry.more.remove();
    entry.more = null;
    entry.button.removeAttribute("aria-controls");
  }
  entry.button.setAttribute("aria-expanded", String(open));
}

function isShown({ target, text }) {
  const fits = filter.status === "all" || (filter.status === "failures" ? FAILURES.includes(target.status) : target.status === filter.status);
  return fits && text.includes(filter.text);
}

function applyFilter() {
  let number = 0;
  for (const entry of rows) {
    const hidden = !isShown(entry);
    number += hidden ? 0 : 1;
    entry.element.hidden = hidden;
    if (entry.more) entry.more.hidden = hidden;
  }
  found.textContent = `${number.toLocaleString("en")} of ${plural(rows.length, "target")} shown.`;
}

function showOnly(status) {
  statusSelect.value = status;
  filterInput.value = "";
  Object.assign(filter, { status, text: "" });
  applyFilter();
}

function sortBy(column) {
  // Numbers are sought by their largest first.
  sorted = { column, ascending: sorted.column === column ? !sorted.ascending : column < 2 };
  showSorted(body.parentElement.querySelectorAll("thead th"));
}

function showSorted(heads) {
  const key = COLUMNS[sorted.column][1];
  const sign = sorted.ascending ? 1 : -1;
  rows.sort((a, b) => {
    const [left, right] = [key(a.target), key(b.target)];
    return left < right ? -sign : left > right ? sign : a.index - b.index;
  });
  heads.forEach((head, column) => head.setAttribute("aria-sort", column === sorted.column ? (sorted.ascending ? "ascending" : "descending") : "none"));
  body.replaceChildren(...rows.flatMap((entry) => {
    entry.element ??= rowOf(entry);
    return entry.more ? [entry.element, entry.more] : [entry.element];
  }));
}

/** Opens the target that a link in the summary names, and moves the focus there. */
function followHash() {
  const number = /^#target-(\d+)$/.exec(location.hash);
  const entry = number && rows.find((one) => one.index === Number(number[1]));
  if (!entry) return;
  if (!isShown(entry)) showOnly("all");
  toggle(entry, true);
  entry.element.scrollIntoView({ block: "start" });
  entry.button.focus({ preventScroll: true });
}

function build() {
  const sections = [failuresSection(), flakySection(), comparisonSection(), servicesSection(), slowestSection(), cachesSection(), rows.length ? targetsSection() : null].filter(Boolean);
  const contents = h("nav", { "aria-label": "Contents" }, h("ul", null, sections.map((one) =>
    h("li", null, h("a", { href: `#${one.id}` }, one.querySelector("h2").textContent.split(/[:,]/)[0])))));
  document.getElementById("page").replaceChildren(headerSection(), contents, h("main", null, sections));
  if (rows.length) applyFilter();
  addEventListener("hashchange", followHash);
  followHash();
  performance.mark("report-ready");
}

build();
