// The summary: what failed and why comes first, then what is flaky, changed, slow and cached.

const MOST_SHOWN = 50;
const LAST_LINES = 12;

function headerSection() {
  const build = report.build;
  const failed = report.targets.filter((target) => FAILURES.includes(target.status)).length;
  const total = report.targets.length;
  const verdict = headline(failed, total);
  const facts = [
    build.started_epoch_ms ? moment(build.started_epoch_ms) : "",
    build.duration_ms !== null ? `took ${duration(build.duration_ms)}` : "did not finish",
    build.bazel ? `Bazel ${build.bazel}` : "",
    build.exit ? `ended with ${build.exit}` : "",
  ].filter(Boolean);
  return h("header", null,
    h("p", { class: "command" }, h("code", null, document.title)),
    h("h1", { class: failed ? "bad" : "good" }, verdict),
    h("p", { class: "note" }, facts.join(" · ")),
    build.problems.map((problem) => h("p", { class: "note bad" }, `Build event file: ${problem}.`)),
    total ? statusBar() : null,
    h("ul", { class: "counts" }, Object.entries(report.counts).map(([status, number]) =>
      h("li", null, h("a", { href: "#targets", click: () => showOnly(status) },
        h("strong", null, number.toLocaleString("en")), " ", badge(status))))));
}

function headline(failed, total) {
  if (!total) return "No test targets";
  if (failed) return `${failed.toLocaleString("en")} of ${plural(total, "test target")} did not pass`;
  return report.counts.passed === total ? `All ${plural(total, "test target")} passed` : `None of ${plural(total, "test target")} failed`;
}

function statusBar() {
  return h("div", { class: "status-bar", "aria-hidden": "true" }, Object.entries(report.counts).map(([status, number]) =>
    h("span", { class: status, style: `flex-grow:${number}` })));
}

function section(id, title, ...content) {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), content);
}

function failuresSection() {
  const failed = report.targets.filter((target) => FAILURES.includes(target.status));
  const order = (target) => FAILURES.indexOf(target.status);
  failed.sort((a, b) => order(a) - order(b));
  if (!failed.length && !report.build_failures.length) return null;
  return section("failures", "What failed, and why",
    report.build_failures.map((failure) => h("article", null,
      h("h3", null, badge("not_built"), " ", h("code", null, failure.label), ` ${failure.what}`),
      h("pre", { tabindex: "0", role: "region", "aria-label": `Why ${failure.label} was not built` }, failure.message),
      failure.log ? folded("Its last lines", () => logBox(failure.log), true) : null)),
    failed.slice(0, MOST_SHOWN).map(failureArticle),
    failed.length > MOST_SHOWN ? h("p", null, h("a", { href: "#targets", click: () => showOnly("failures") }, `${failed.length - MOST_SHOWN} more are in the table of all targets.`)) : null);
}

function failureArticle(target) {
  const culprit = target.attempts.find((attempt) => attempt.status === target.status);
  const log = culprit && culprit.logs.find((one) => one.name === "test.log");
  const more = culprit ? culprit.services.filter((service) => service.log_tail).map(serviceLog) : [];
  if (log) more.push(folded("Last lines of test.log", () => logBox(log, LAST_LINES), target.status !== "service_failed"));
  return h("article", null,
    h("h3", null, badge(target.status), " ", targetLink(target.label), culprit && target.shards > 1 ? ` shard ${culprit.shard} of ${target.shards}` : ""),
    h("pre", { class: "why", tabindex: "0", role: "region", "aria-label": `Why ${target.label} did not pass` }, target.why || "Nothing says why."),
    more);
}

function flakySection() {
  const flaky = report.targets.filter((target) => target.status === "flaky");
  if (!flaky.length) return null;
  return section("flaky", "Flaky: passed, but not at the first attempt", table("Flaky targets", ["Target", ["Attempts"], ["Not passed"], "Why the first one did not pass"],
    flaky.map((target) => [targetLink(target.label), [String(target.attempts.length)], [String(target.attempts.filter((one) => one.status !== "passed").length)], h("span", { class: "lines" }, target.why || "–")])));
}

function comparisonSection() {
  const comparison = report.comparison;
  if (!comparison) return null;
  const list = (title, labels, isOpen) => labels.length ? folded(`${title} (${labels.length})`, () => h("ul", { class: "labels" }, labels.map((label) => h("li", null, targetLink(label)))), isOpen) : null;
  const changes = (title, entries) => entries.length ? folded(`${title} (${entries.length})`, () => table(title, ["Target", ["Before"], ["Now"], ["Ratio"]],
    entries.map((one) => [targetLink(one.label), [duration(one.before_ms)], [duration(one.after_ms)], [`${(one.after_ms / one.before_ms).toFixed(2)} ×`]])), true) : null;
  const parts = [
    list("New failures", comparison.new_failures, true),
    list("Fixed", comparison.fixed, true),
    list("Newly flaky", comparison.new_flaky, true),
    changes("Slower", comparison.slower),
    changes("Faster", comparison.faster),
    list("Still failing", comparison.still_failing),
    list("New targets", comparison.added),
    list("No longer there", comparison.removed),
  ].filter(Boolean);
  return section("comparison", "Compared with the previous run",
    h("p", { class: "note" }, `The run of ${moment(comparison.started_epoch_ms)}. Slower and faster: by a quarter and half a second at least.`),
    parts.length ? parts : h("p", null, "Nothing has changed."));
}

function servicesSection() {
  const { services, chains } = report.summary;
  if (!services.length) {
    const cached = report.targets.some((target) => target.attempts.some((attempt) => attempt.services.length));
    return cached ? section("services", "Services", h("p", null, "No service was started: every result came from a cache.")) : null;
  }
  const most = Math.max(...services.flatMap((service) => service.ready_ms), 1);
  return section("services", "Services: from start to ready",
    table("Start-up by service, slowest first", ["Service", "Kind", "Distribution", ["Starts"], ["Median"], ["90 %"], ["Slowest"], ["Failed"], ["CPU"], ["Peak memory"]],
      services.map((one) => [h("code", null, one.label), one.kind, strip(one.ready_ms, most), [String(one.starts)], [duration(one.median_ms)], [duration(one.p90_ms)], [duration(one.ready_ms[one.ready_ms.length - 1])], [one.failures ? h("span", { class: "bad" }, String(one.failures)) : "0"], [duration(one.cpu_ms)], [megabytes(one.peak_mb)]])),
    h("p", { class: "note" }, `Each mark is one start, on a scale from 0 to ${duration(most)}. CPU: ${duration(report.summary.service_cpu_ms)} for services, ${duration(report.summary.test_cpu_ms)} for test programs.`),
    chains.length ? table("Critical paths: the services that all others of a test action were ready before", ["Chain", ["Test actions"], ["All ready, median"], ["All ready, slowest"]],
      chains.map((chain) => [chain.names.join(" → "), [String(chain.actions)], [duration(chain.median_ms)], [duration(chain.most_ms)]])) : null);
}

/** Marks on a line; at most a few hundred of them, as more would not be seen apart. */
function strip(times, most) {
  const every = Math.ceil(times.length / 200);
  return h("span", { class: "strip", "aria-hidden": "true" }, times.filter((_, index) => index % every === 0).map((ms) =>
    h("span", { style: `left:${(100 * ms) / most}%` })));
}

function slowestSection() {
  const slowest = report.targets.filter((target) => target.attempts.length && target.cached < target.attempts.length)
    .sort((a, b) => b.duration_ms - a.duration_ms).slice(0, 10);
  if (!slowest.length) return null;
  const most = slowest[0].duration_ms || 1;
  const chain = report.build.critical_path;
  return section("slowest", "Slowest targets", table("The targets that took longest: their slowest shard", ["Target", "Share of the slowest", ["Time"], ["Services ready"], ["Shards"]],
    slowest.map((target) => [targetLink(target.label), h("span", { class: "share", "aria-hidden": "true" }, h("span", { style: `width:${(100 * target.duration_ms) / most}%` })), [duration(target.duration_ms)], [duration(slowestServices(target))], [String(target.shards)]])),
    chain ? folded("The build’s critical path", () => [h("p", { class: "note" }, "The chain of actions that took longest: the build could not have been faster than this, however many machines it had."), logBox({ name: "critical path", text: chain, omitted_bytes: 0 })]) : null);
}

function slowestServices(target) {
  const times = target.attempts.map((attempt) => attempt.services_ready_ms).filter((ms) => ms !== null);
  return times.length ? Math.max(...times) : null;
}

function cachesSection() {
  const { actions, local, disk, remote, saved_ms: saved } = report.summary.caches;
  if (!actions) return null;
  const hits = local + disk + remote;
  const processes = Object.entries(report.build.processes).map(([name, number]) => `${number.toLocaleString("en")} ${name}`).join(", ");
  return section("caches", "Caches",
    h("p", null, h("strong", null, `${Math.round((100 * hits) / actions)} %`), ` of ${plural(actions, "test action")} came from a cache: ${local} up to date, ${disk} from a disk cache, ${remote} from a remote cache. ${hits ? `They took ${duration(saved)} when they were run.` : ""}`),
    processes ? h("p", { class: "note" }, `All actions of the build: ${processes}.`) : null);
}
