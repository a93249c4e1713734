// What is behind one target: its attempts with services, cases and logs. Made only when somebody opens it.

function targetDetails(target) {
  const parts = [];
  if (target.why) parts.push(h("pre", { class: "why", tabindex: "0", role: "region", "aria-label": "Why" }, target.why));
  if (!target.attempts.length) parts.push(h("p", { class: "note" }, "There is no result of a test action."));
  const few = target.attempts.length <= 3;
  for (const attempt of target.attempts) {
    const title = [attemptName(target, attempt), " ", badge(attempt.status), ` ${duration(attempt.duration_ms)}`, attempt.cache ? `, from a cache (${CACHE[attempt.cache]})` : ""];
    const open = few || attempt.status !== "passed";
    parts.push(folded(h("span", { class: "attempt-title" }, title), () => attemptDetails(attempt), open));
  }
  return h("div", { class: "target-details" }, parts);
}

function attemptName(target, attempt) {
  const most = (key) => Math.max(...target.attempts.map((other) => other[key]));
  const names = [];
  if (most("run") > 1) names.push(`Run ${attempt.run}`);
  if (target.shards > 1) names.push(`Shard ${attempt.shard} of ${target.shards}`);
  if (most("attempt") > 1) names.push(`Attempt ${attempt.attempt}`);
  return names.join(", ") || "Test action";
}

function attemptDetails(attempt) {
  return h("div", { class: "attempt" },
    attempt.notes.map((note) => h("p", { class: "note" }, `Not shown: ${note}.`)),
    timeline(attempt),
    attempt.services.length ? servicesTable(attempt) : null,
    factsOf(attempt),
    attempt.cases.length ? casesTable(attempt) : null,
    attempt.services.filter((service) => service.log_tail).map(serviceLog),
    attempt.logs.map((log) => folded(log.name, () => logBox(log))));
}

function serviceLog(service) {
  const title = `The end of ${service.name}’s log`;
  return folded(title, () => h("pre", { tabindex: "0", role: "region", "aria-label": title }, service.log_tail), true);
}

function servicesTable(attempt) {
  const rows = attempt.services.map((service) => [
    service.name,
    service.kind,
    service.cause ? [h("span", { class: "bad" }, service.state || "failed")] : service.state,
    [service.started_ms === null ? "never" : duration(service.started_ms)],
    [service.ready_ms === null ? "never" : duration(service.ready_ms)],
    service.is_critical ? "yes" : "no",
    service.needs.join(", ") || "–",
    Object.entries(service.ports).map(([name, number]) => `${name} ${number}`).join(", ") || "–",
    [duration(service.cpu_ms)],
    [megabytes(service.peak_mb)],
  ]);
  if (attempt.program) {
    const { started_ms: started, ended_ms: ended, cpu_ms: cpu, peak_mb: peak } = attempt.program;
    rows.push(["test program", "–", "–", [duration(started)], ["–"], "–", "–", "–", [duration(cpu)], [megabytes(peak)]]);
    if (ended !== null && started !== null) rows[rows.length - 1][2] = `ran ${duration(ended - started)}`;
  }
  return table("Services of this test action", ["Service", "Kind", "State", ["Started at"], ["Ready after"], "Critical path", "Needs", "Ports", ["CPU"], ["Peak memory"]], rows);
}

function casesTable(attempt) {
  const counts = Object.entries(attempt.counts).map(([status, number]) => `${number} ${status}`).join(", ");
  return table(`Test cases: ${counts}. Those that did not pass, and the slowest`, ["Case", "Result", ["Time"], "Message"],
    attempt.cases.map((one) => [one.name, one.status, [duration(one.time_s * 1000)], one.text && one.status !== "skipped"
      ? folded(one.message.split("\n")[0] || "Text", () => h("pre", { tabindex: "0", role: "region", "aria-label": one.name }, one.text))
      : one.message || "–"]));
}

function factsOf(attempt) {
  const facts = [["Started", moment(attempt.started_epoch_ms)], ["Strategy", attempt.strategy || (attempt.cache ? "none: cached" : "")]];
  for (const [name, ms] of Object.entries(attempt.timing)) facts.push([name.replace(/Time$/, "").replace(/([A-Z])/g, " $1").toLowerCase(), duration(ms)]);
  return h("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}
