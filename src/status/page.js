// The live page of wsgi-status: asks for ?json once a second and shows it. Whatever comes from
// requests and applications is set as text, never as markup.
"use strict";

const EVERY = 1000;
const KEPT = 90;
const SVG = "http://www.w3.org/2000/svg";
const PARTS = { queue: "Queue time", gil_wait: "GIL wait", application: "Application time", send: "Send time" };
const DOING = { idle: "idle", running: "running", waiting_for_gil: "waiting for the GIL", reading: "reading", sending: "sending" };

const byId = (id) => document.getElementById(id);
const views = new Map();
let paused = false;
let shown = null;

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const number = (value) => new Intl.NumberFormat("en").format(Math.round(value));
const rate = (value) => (value >= 100 ? number(value) : value.toFixed(1));
const size = (bytes) => (bytes / 1048576).toFixed(1) + " MB";

function time(seconds) {
  if (seconds === null) return "–";
  if (seconds < 0.001) return Math.round(seconds * 1e6) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(1) + " ms";
  if (seconds < 120) return seconds.toFixed(1) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

// Where a share of the counted times lies below; between borders as if they were evenly spread.
function quantile(counts, borders, share) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let rest = all * share;
  for (let place = 0; place < counts.length; place++) {
    if (counts[place] >= rest && counts[place] > 0) {
      if (place === borders.length) return borders[place - 1];
      const low = place === 0 ? 0 : borders[place - 1];
      return low + (borders[place] - low) * (rest / counts[place]);
    }
    rest -= counts[place];
  }
  return borders[borders.length - 1];
}

class LineChart {
  constructor(label) {
    this.values = [];
    this.area = draw("path", { class: "area" });
    this.stroke = draw("path", { class: "stroke" });
    this.now = make("span");
    this.picture = draw("svg", { viewBox: "0 0 " + (KEPT - 1) + " 30", preserveAspectRatio: "none", role: "img" }, this.area, this.stroke);
    this.label = label;
    this.element = make("div", { className: "chart" },
      make("div", { className: "title" }, make("h3", { textContent: label }), this.now), this.picture);
  }
  add(value, text) {
    this.values.push(value === null ? 0 : value);
    if (this.values.length > KEPT) this.values.shift();
    const most = Math.max(...this.values, 1e-9);
    const first = KEPT - this.values.length;
    const points = this.values.map((v, i) => (first + i) + " " + (29 - 27 * v / most).toFixed(2));
    this.stroke.setAttribute("d", "M" + points.join("L"));
    this.area.setAttribute("d", "M" + first + " 30L" + points.join("L") + "L" + (KEPT - 1) + " 30Z");
    setText(this.now, text);
    this.picture.setAttribute("aria-label", this.label + ": " + text);
  }
}

class BarChart {
  constructor(label) {
    this.label = label;
    this.now = make("span");
    this.picture = draw("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img" });
    this.element = make("div", { className: "chart" },
      make("div", { className: "title" }, make("h3", { textContent: label }), this.now), this.picture);
  }
  show(counts, borders) {
    const most = Math.max(...counts, 1);
    const width = 100 / counts.length;
    this.picture.replaceChildren(...counts.map((count, place) => {
      const height = count === 0 ? 0 : Math.max(1, 29 * count / most);
      const bar = draw("rect", { class: "bar", x: place * width + .3, y: 30 - height, width: width - .6, height });
      const border = place < borders.length ? "up to " + time(borders[place]) : "longer";
      bar.append(draw("title", {}, border + ": " + number(count)));
      return bar;
    }));
    const [half, most99] = [.5, .99].map((share) => time(quantile(counts, borders, share)));
    setText(this.now, "p50 " + half + ", p99 " + most99);
    this.picture.setAttribute("aria-label", this.label + ": half within " + half + ", 99 % within " + most99);
  }
}

class Figure {
  constructor(label) {
    this.value = make("b", { textContent: "–" });
    this.element = make("div", { className: "figure" }, this.value, make("span", { textContent: label }));
  }
}

function table(caption, columns) {
  const body = make("tbody");
  const heads = columns.map((column) => make("th", { scope: "col", textContent: column }));
  const element = make("table", {}, make("caption", { textContent: caption }),
    make("thead", {}, make("tr", {}, ...heads)), body);
  return { element, body, columns };
}

function cell(label, content, className = "") {
  const element = make("td", { className });
  element.dataset.label = label;
  element.append(content);
  return element;
}

// One group: made once, then only changed, so that focus and selection stay where they are.
class GroupView {
  constructor(name) {
    this.name = name;
    this.before = null;
    this.rows = new Map();
    this.badge = make("span", { className: "badge" });
    this.reason = make("p", { className: "problem", hidden: true });
    this.figures = {};
    const labels = { processes: "processes", busy: "threads busy", queue: "waiting", rate: "requests/s",
      errors: "5xx/s", memory: "memory", total: "requests", restarts: "processes ended" };
    for (const [key, label] of Object.entries(labels)) this.figures[key] = new Figure(label);
    this.charts = { rate: new LineChart("Requests per second"), busy: new LineChart("Busy threads"),
      queue: new LineChart("Queue length"), gil: new LineChart("GIL wait, mean"), memory: new LineChart("Memory") };
    this.bars = {};
    for (const [part, label] of Object.entries(PARTS)) this.bars[part] = new BarChart(label);
    this.threads = table("Threads with a request", ["Process", "Thread", "Doing", "For", "Request", "Stack"]);
    this.nobody = make("p", { className: "figure" }, make("span", { textContent: "No thread has a request." }));
    this.processes = table("Processes", ["Process", "State", "Age", "Requests", "Memory", "Threads"]);
    this.ended = table("Ended processes", ["Process", "When", "Reason", "How", "Age", "Requests"]);
    this.reasons = make("p");
    this.element = make("section", { className: "group" },
      make("div", { className: "title" }, make("h2", { textContent: name || "Embedded in httpd" }), this.badge), this.reason,
      make("div", { className: "figures" }, ...Object.values(this.figures).map((figure) => figure.element)),
      make("div", { className: "charts" }, ...Object.values(this.charts).map((chart) => chart.element),
        ...Object.values(this.bars).map((chart) => chart.element)),
      this.threads.element, this.nobody, this.processes.element,
      make("details", {}, make("summary", { textContent: "Restarts" }), this.reasons, this.ended.element));
  }

  show(group, report) {
    const requests = Object.values(group.requests).reduce((sum, count) => sum + count, 0);
    const memory = group.processes.reduce((sum, process) => sum + process.memory, 0);
    const ended = Object.values(group.restarts).reduce((sum, count) => sum + count, 0);
    const now = { time: report.time, requests, errors: group.requests["5xx"], lock: group.times.gil_wait };
    setText(this.badge, group.state);
    this.badge.classList.toggle("serving", group.state === "serving" || group.state === "embedded");
    this.reason.hidden = !group.reason;
    setText(this.reason, group.reason || "");
    const threads = group.threads * group.processes.length;
    const set = (key, text) => setText(this.figures[key].value, text);
    set("processes", group.processes.length + " of " + group.wanted_processes);
    set("busy", group.busy + " of " + threads);
    set("queue", group.queue === null ? "–" : number(group.queue));
    set("memory", size(memory));
    set("total", number(requests));
    set("restarts", number(ended));
    if (this.before && now.time > this.before.time) this.difference(now);
    this.before = now;
    this.charts.busy.add(group.busy, group.busy + " of " + threads);
    this.charts.queue.add(group.queue, group.queue === null ? "unknown" : number(group.queue));
    this.charts.memory.add(memory, size(memory));
    for (const [part, chart] of Object.entries(this.bars)) chart.show(group.times[part].counts, report.borders);
    this.showThreads(group);
    this.showProcesses(group, report.time);
    this.showEnded(group, report.time);
  }

  difference(now) {
    const seconds = now.time - this.before.time;
    const perSecond = Math.max(0, now.requests - this.before.requests) / seconds;
    const errors = Math.max(0, now.errors - this.before.errors) / seconds;
    const count = now.lock.count - this.before.lock.count;
    const wait = count > 0 ? Math.max(0, now.lock.sum - this.before.lock.sum) / count : 0;
    setText(this.figures.rate.value, rate(perSecond));
    setText(this.figures.errors.value, rate(errors));
    this.charts.rate.add(perSecond, rate(perSecond));
    this.charts.gil.add(wait, time(wait));
  }

  showThreads(group) {
    const seen = new Set();
    for (const process of group.processes) {
      for (const thread of process.threads || []) {
        if (!thread.request) continue;
        const key = process.epoch + "/" + thread.thread + "/" + thread.request.number;
        seen.add(key);
        let row = this.rows.get(key);
        if (!row) {
          row = this.makeRow(process, thread);
          this.rows.set(key, row);
          this.threads.body.append(row.element);
        }
        row.doing.className = "doing " + thread.doing;
        setText(row.doing, DOING[thread.doing] || thread.doing);
        setText(row.age, time(thread.request.age));
      }
    }
    for (const [key, row] of this.rows) {
      if (seen.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    this.threads.element.hidden = this.rows.size === 0;
    this.nobody.hidden = this.rows.size > 0;
  }

  makeRow(process, thread) {
    const subject = thread.request.method + " " + thread.request.uri;
    const doing = make("span", { className: "doing" });
    const age = make("span");
    const button = make("button", { type: "button", textContent: "Stack" });
    // httpd's children have nobody who could look at one.
    button.hidden = this.name === "";
    button.setAttribute("aria-label", "Python stack of " + subject);
    const of = { group: this.name, epoch: process.epoch, thread: thread.thread, request: thread.request.number };
    button.addEventListener("click", () => openStack(of, subject + " in process " + process.pid));
    const [p, t, d, f, r, s] = this.threads.columns;
    const element = make("tr", {}, cell(p, String(process.pid)), cell(t, String(thread.thread)), cell(d, doing),
      cell(f, age), cell(r, subject, "url"), cell(s, button));
    return { element, doing, age };
  }

  showProcesses(group, now) {
    const [p, s, a, r, m, t] = this.processes.columns;
    this.processes.body.replaceChildren(...group.processes.map((process) => {
      const busy = (process.threads || []).filter((thread) => thread.request).length;
      const threads = process.threads ? busy + " of " + process.threads.length + " busy" : "no answer";
      return make("tr", {}, cell(p, String(process.pid)), cell(s, process.state),
        cell(a, time(Math.max(0, now - process.started))), cell(r, number(process.requests)),
        cell(m, size(process.memory)), cell(t, threads));
    }));
  }

  showEnded(group, now) {
    const reasons = Object.entries(group.restarts).map(([reason, count]) => reason + ": " + number(count));
    setText(this.reasons, reasons.length ? reasons.join(", ") : "No process has ended.");
    const [p, w, r, h, a, n] = this.ended.columns;
    this.ended.element.hidden = group.ended.length === 0;
    this.ended.body.replaceChildren(...group.ended.map((end) => make("tr", {}, cell(p, String(end.pid)),
      cell(w, time(Math.max(0, now - end.ended)) + " ago"), cell(r, end.reason), cell(h, end.how),
      cell(a, time(end.age)), cell(n, number(end.requests)))));
  }
}

function show(report) {
  const groups = byId("groups");
  const names = new Set(report.groups.map((group) => group.name));
  for (const [name, view] of views) {
    if (names.has(name)) continue;
    view.element.remove();
    views.delete(name);
  }
  for (const group of report.groups) {
    let view = views.get(group.name);
    if (!view) {
      view = new GroupView(group.name);
      views.set(group.name, view);
      groups.append(view.element);
    }
    view.show(group, report);
  }
  byId("problem").hidden = !report.problem;
  setText(byId("problem"), report.problem || "");
  setText(byId("version"), "mod_wsgi_rs " + report.version);
  const count = report.groups.length;
  setText(byId("state"), count === 0 ? "No daemon process group is configured, and nothing has run embedded."
    : count + (count === 1 ? " group" : " groups") + (paused ? ", paused" : ", live"));
}

async function look() {
  if (paused || document.hidden) return;
  try {
    const response = await fetch("?json", { cache: "no-store" });
    if (!response.ok) throw new Error("HTTP status " + response.status);
    show(await response.json());
  } catch (error) {
    byId("problem").hidden = false;
    setText(byId("problem"), "The server does not answer: " + error.message);
    setText(byId("state"), "not connected");
  }
}

async function go() {
  await look();
  setTimeout(go, EVERY);
}

async function askStack(of) {
  setText(byId("stack-lines"), "Looking …");
  const query = Object.entries(of).map(([key, value]) => key + "=" + encodeURIComponent(value)).join("&");
  let text;
  try {
    const response = await fetch("?stack&" + query, { cache: "no-store" });
    if (!response.ok) throw new Error("HTTP status " + response.status);
    const stack = await response.json();
    text = stack.problem || stack.lines.join("\n") || "The thread is not in Python code.";
  } catch (error) {
    text = "The stack cannot be had: " + error.message;
  }
  if (shown === of) setText(byId("stack-lines"), text);
}

function openStack(of, subject) {
  shown = of;
  setText(byId("stack-subject"), subject);
  byId("stack").showModal();
  askStack(of);
}

byId("stack-again").addEventListener("click", () => askStack(shown));
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  setText(byId("pause"), paused ? "Go on" : "Pause");
  setText(byId("state"), paused ? "paused" : "live");
});
go();
