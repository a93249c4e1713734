// When the services of a test action started and served, against the run of the test program.

/** A figure with a bar for each service and one for the program. The table beside it has the same numbers. */
function timeline(attempt) {
  const known = attempt.services.filter((service) => service.started_ms !== null);
  const program = attempt.program || {};
  const ends = known.map((service) => service.started_ms + (service.ready_ms || 0));
  const end = Math.max(program.ended_ms || 0, attempt.services_ready_ms || 0, ...ends);
  if (!known.length || !end) return null;
  const rows = known.map((service) => serviceRow(service, end));
  if (program.started_ms !== null && program.started_ms !== undefined) {
    const until = program.ended_ms ?? end;
    rows.push(row("test program", "program", [bar("run", program.started_ms, until, end)], duration(until - program.started_ms)));
  }
  return h("figure", { class: "timeline", "aria-label": `Timeline: ${words(attempt)}` },
    h("figcaption", null, "Services’ start-up against the test’s run. ", h("span", { class: "note" }, words(attempt))),
    h("div", { "aria-hidden": "true" }, rows, axis(end)),
    h("p", { class: "legend", "aria-hidden": "true" },
      h("span", { class: "key starting" }), "starting ",
      h("span", { class: "key starting critical" }), "starting, others waited for it ",
      h("span", { class: "key serving" }), "serving ",
      h("span", { class: "key run" }), "test program"));
}

function words(attempt) {
  const path = attempt.critical_path.join(" → ");
  const ready = attempt.services_ready_ms === null ? "Not all services were ready" : `All services were ready after ${duration(attempt.services_ready_ms)}`;
  return path ? `${ready}; the critical path is ${path}.` : `${ready}.`;
}

function serviceRow(service, end) {
  const ready = service.ready_ms === null ? null : service.started_ms + service.ready_ms;
  const kind = `starting${service.is_critical ? " critical" : ""}${service.cause ? " broken" : ""}`;
  const bars = [bar(kind, service.started_ms, ready ?? end, end)];
  if (ready !== null) bars.push(bar("serving", ready, end, end));
  const text = ready === null ? "never ready" : duration(service.ready_ms);
  return row(service.name, service.is_critical ? "critical" : "", bars, text);
}

function row(name, kind, bars, text) {
  return h("div", { class: `lane ${kind}` }, h("span", { class: "name" }, name), h("span", { class: "track" }, bars), h("span", { class: "took" }, text));
}

function bar(kind, from, to, end) {
  const left = (100 * from) / end;
  return h("span", { class: `bar ${kind}`, style: `left:${left}%;width:${Math.max(0.4, (100 * (to - from)) / end)}%` });
}

function axis(end) {
  const step = [1, 2, 5].map((first) => first * 10 ** Math.floor(Math.log10(end / 2))).filter((size) => end / size >= 2).pop();
  const marks = [];
  for (let at = 0; at <= end; at += step) marks.push(h("span", { class: "tick", style: `left:${(100 * at) / end}%` }, duration(at)));
  return h("div", { class: "lane axis" }, h("span", { class: "name" }), h("span", { class: "track" }, marks), h("span", { class: "took" }));
}
