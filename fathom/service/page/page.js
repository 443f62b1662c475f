// The page of a service: a form made from the columns, the answer, and charts of rate, latency and drift.
// Every text that comes from the server goes through textContent or setAttribute, never through a parser of markup.
"use strict";

const byId = (id) => document.getElementById(id);
const EVERY = 5000; // milliseconds between two looks
let models = [];
let model = null;
let token = "";
let look = null;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

const number = (value, digits = 3) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en", { maximumSignificantDigits: digits }).replace("-", "−"));
const percent = (value) => `${number(100 * value)} %`;
const chance = (value) => (value > 0 && value < 0.0001 ? "under 0.01 %" : value < 1 && value >= 0.9995 ? "over 99.9 %" : percent(value));
const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

// A name that may be broken behind its joints, and not in the middle of a word.
function jointed(text) {
  const made = element("span");
  for (const piece of text.split(/(?<=[_/])/)) made.append(piece, document.createElement("wbr"));
  return made;
}

async function fetched(address, options = {}) {
  const headers = { Accept: "application/json", ...(options.headers || {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  const reply = await fetch(address, { ...options, headers, credentials: "same-origin" });
  let body = null;
  try { body = await reply.json(); } catch { body = null; }
  if (!reply.ok) {
    const error = new Error((body && body.error) || `The server answered ${reply.status}.`);
    error.status = reply.status;
    error.field = body && body.field;
    throw error;
  }
  return body;
}

// ---- the form ----

function made(field, place) {
  const id = `field-${place}`;
  const hint = `${id}-hint`;
  const common = { id, name: field.name, "aria-describedby": hint };
  let control;
  if (field.choices) {
    control = element("select", common, element("option", { value: "" }, "not known"), ...field.choices.map((word) => element("option", { value: word }, word)));
  } else if (field.input === "textarea") {
    control = element("textarea", { ...common, rows: 4, spellcheck: "true" });
  } else if (field.input === "file") {
    control = element("input", { ...common, type: "file", accept: field.accept });
  } else {
    control = element("input", { ...common, type: field.input, step: field.step, placeholder: field.example, autocomplete: "off" });
  }
  const box = element("div", { class: field.input === "textarea" || field.input === "file" ? "field wide" : "field" }, element("label", { for: id }, field.name), control, element("p", { class: "hint", id: hint }, field.hint));
  if (field.input === "file") control.addEventListener("change", () => preview(field, control, box));
  return box;
}

function preview(field, control, box) {
  for (const old of box.querySelectorAll(".preview")) {
    URL.revokeObjectURL(old.src);
    old.remove();
  }
  const file = control.files[0];
  if (!file) return;
  const source = URL.createObjectURL(file);
  if (field.kind === "image") box.append(element("img", { class: "preview", src: source, alt: `The picture to send as ${field.name}` }));
  else box.append(element(field.kind === "audio" ? "audio" : "video", { class: "preview", src: source, controls: true }));
}

function filled(values) {
  model.fields.forEach((field, place) => {
    const control = byId(`field-${place}`);
    if (field.input === "file") return;
    const value = values[field.name];
    let text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    if (field.input === "datetime-local") text = text.replace(" ", "T").slice(0, 16);
    if (field.input === "date") text = text.slice(0, 10);
    control.value = text;
  });
}

function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The file cannot be read."));
    reader.readAsDataURL(file);
  });
}

async function row() {
  const values = {};
  for (const [place, field] of model.fields.entries()) {
    const control = byId(`field-${place}`);
    if (field.input === "file") values[field.name] = control.files[0] ? await read(control.files[0]) : null;
    else if (control.value === "") values[field.name] = null;
    else if (field.input === "number") values[field.name] = Number(control.value);
    else if (field.input === "datetime-local") values[field.name] = control.value.replace("T", " ");
    else if (field.json && /^\s*[[{]/.test(control.value)) values[field.name] = JSON.parse(control.value);
    else values[field.name] = control.value;
  }
  return values;
}

function bar(share, down = false) {
  return drawn("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, drawn("rect", { class: "ground", width: 100, height: 8 }), drawn("rect", { class: down ? "bar down" : "bar", width: Math.max(0, Math.min(100, 100 * share)), height: 8 }));
}

function answered(target, answer) {
  const doubt = answer[`${target.name}_doubt`];
  const box = element("div", { class: doubt ? "result doubt" : "result" }, element("div", { class: "quiet" }, target.name), element("div", { class: "value" }, target.classes ? answer[target.name] : number(answer[target.name], 5)));
  if (!target.classes) {
    box.append(element("p", { class: "quiet" }, `between ${number(answer[`${target.name}_low`], 5)} and ${number(answer[`${target.name}_high`], 5)} for nine of ten rows like those of training`));
    return box;
  }
  box.append(element("p", { class: "quiet" }, `probability ${chance(answer[`${target.name}_probability`])}`));
  if (doubt) box.append(element("p", { class: "doubt" }, doubt));
  const shares = target.classes.map((label) => [label, answer[`${target.name}=${label}`]]).sort((a, b) => b[1] - a[1]).slice(0, 8);
  box.append(element("div", { class: "bars" }, ...shares.flatMap(([label, share]) => [element("span", {}, label), bar(share), element("span", {}, chance(share))])));
  return box;
}

function reasoned(found) {
  const box = element("div", { class: "result" }, element("h3", {}, `Why ${found.of === null ? number(found.value, 5) : found.answer}`));
  const method = found.methods[0];
  const shares = found.parts.map((part, place) => [part, method.values[place]]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 10);
  const size = Math.max(...shares.map(([, value]) => Math.abs(value)), 1e-12);
  const what = found.of === null ? "the answer" : `the probability of ${found.of}`;
  const named = (part) => (part.name && part.name !== part.column ? `${part.column}: ${part.name}` : `${part.column}${found.cells[part.column] === undefined ? "" : ` = ${found.cells[part.column].slice(0, 40)}`}`);
  box.append(element("p", { class: "quiet" }, `Without any column ${what} would be ${number(found.base)}, with all it is ${number(found.value)}. What raises it has +, what lowers it −; ${method.name} says so: ${method.summary}.`));
  box.append(element("div", { class: "bars" }, ...shares.flatMap(([part, value]) => [jointed(named(part)), bar(Math.abs(value) / size, value < 0), element("span", {}, `${value > 0 ? "+" : "−"}${number(Math.abs(value))}`)])));
  if (found.counterfactual) box.append(element("p", {}, found.counterfactual.sentence));
  return box;
}

function wrong(error) {
  const place = model.fields.findIndex((field) => error.field && (error.field === field.name || error.field.endsWith(`.${field.name}`) || error.field.includes(`'${field.name}'`)));
  if (place >= 0) {
    const control = byId(`field-${place}`);
    control.setAttribute("aria-invalid", "true");
    control.parentElement.append(element("p", { class: "wrong" }, error.message));
    control.focus();
  }
  return element("p", { class: "warning" }, place >= 0 ? `${model.fields[place].name}: ${error.message}` : error.message);
}

async function send(event) {
  event.preventDefault();
  const box = byId("answer");
  for (const old of document.querySelectorAll(".wrong")) old.remove();
  for (const old of document.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
  byId("send").disabled = true;
  try {
    const body = { rows: [await row()], doubt: true };
    const address = `predict/${encodeURIComponent(model.name)}`;
    const ask = (extra, headers) => fetched(address, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify({ ...body, ...extra }) });
    const reply = await ask({});
    const again = { "X-Request-Id": reply.request }; // the same version says why, and the row is recorded once
    box.replaceChildren(...model.targets.map((target) => answered(target, reply.answers[0])), element("p", { class: "quiet" }, `Version ${reply.version}, request ${reply.request}`));
    if (model.explains) {
      const button = element("button", { type: "button", class: "plain" }, "Why?");
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          const told = await ask({ explain: true }, again);
          button.replaceWith(reasoned(told.reasons[0]));
        } catch (error) {
          button.replaceWith(wrong(error));
        }
      });
      box.append(button);
    }
    watched();
  } catch (error) {
    box.replaceChildren(wrong(error));
  } finally {
    byId("send").disabled = false;
  }
}

function chosen(name) {
  model = models.find((one) => one.name === name) || models[0];
  byId("model").textContent = model.name;
  byId("version").textContent = `Answers ${model.targets.map((target) => target.name).join(", ")}. Version ${model.version}.`;
  byId("fields").replaceChildren(...model.fields.map(made));
  byId("answer").replaceChildren();
  byId("example").hidden = !model.example || model.fields.every((field) => field.input === "file");
  byId("ask").hidden = false;
  if (model.example) filled(model.example);
  look = null;
  byId("state").className = "";
  byId("state").textContent = "Looking at the latest requests …";
  for (const id of ["remarks", "facts", "rate", "latency", "scores", "drift"]) byId(id).replaceChildren();
  watched();
}

// ---- the charts ----

const HIGH = 190, LEFT = 46, FOOT = 22;

function chart(box, steps, lines, label, unit) {
  const WIDE = Math.max(260, box.clientWidth || 480);
  const most = Math.max(...steps.flatMap((step) => lines.map((line) => line.of(step) ?? 0)), 1e-9);
  const x = (place) => LEFT + ((WIDE - LEFT - 8) * (place + 0.5)) / steps.length;
  const y = (value) => HIGH - FOOT - ((HIGH - FOOT - 14) * value) / most;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });
  for (const share of [0, 0.5, 1]) {
    svg.append(drawn("path", { class: "rule", d: `M${LEFT} ${y(share * most)}H${WIDE - 8}` }), drawn("text", { x: LEFT - 6, y: y(share * most) + 4, "text-anchor": "end" }, number(share * most, 2)));
  }
  for (const place of [0, Math.floor(steps.length / 2), steps.length - 1]) {
    svg.append(drawn("text", { x: x(place), y: HIGH - 5, "text-anchor": place === 0 ? "start" : place === steps.length - 1 ? "end" : "middle" }, clock(steps[place].at)));
  }
  for (const line of lines) {
    const known = steps.map((step, place) => [place, line.of(step)]).filter(([, value]) => value !== null && value !== undefined);
    const there = new Set(known.map(([place]) => place));
    svg.append(drawn("path", { class: `line ${line.name}`, d: known.map(([place, value]) => `${there.has(place - 1) ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("") }));
    for (const [place, value] of known) if (!there.has(place - 1) && !there.has(place + 1)) svg.append(drawn("circle", { class: `point ${line.name}`, cx: x(place), cy: y(value), r: 3 }));
  }
  svg.append(drawn("title", {}, `${label}; the most is ${number(most)} ${unit}`));
  return svg;
}

function sized(one) {
  const most = one.unit === "loss" ? 1 : one.unit === "share" ? 0.5 : 1;
  const x = (value) => 4 + 192 * Math.max(0, Math.min(1, Math.abs(value) / most));
  const svg = drawn("svg", { viewBox: "0 0 200 18", role: "img", "aria-label": `${number(one.effect)}; worth a word from ${one.least}` }, drawn("path", { class: "rule", d: "M4 9H196" }));
  svg.append(drawn("path", { class: "least", d: `M${x(one.least)} 1V17` }));
  if (one.effect === null) return svg;
  if (one.low !== null) {
    const ends = one.low < 0 && one.high > 0 ? [0, Math.max(-one.low, one.high)] : [one.low, one.high];
    svg.append(drawn("path", { class: "whisker", d: `M${x(ends[0])} 9H${x(ends[1])}` }));
  }
  svg.append(drawn("circle", { class: one.status === "drift" ? "dot drift" : "dot", cx: x(one.effect), cy: 9, r: 4 }));
  return svg;
}

function tabled(heads, rows) {
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, ...rows));
}

function shown() {
  if (!look) return;
  const state = byId("state");
  state.className = look.state;
  state.replaceChildren(element("strong", {}, look.state), element("span", {}, ` ${look.headline}`));
  byId("remarks").replaceChildren(...[...look.broken.slice(1), ...look.notes].map((words) => element("p", { class: "quiet" }, words)));
  const minutes = look.pace.length > 1 ? (look.pace[1].at - look.pace[0].at) / 60 : 1;
  const busy = look.pace.filter((step) => step.rows);
  const facts = [["Rows looked at", number(look.rows, 6)], ["Truths known", number(look.labelled, 6)], ["Rows in the last hour or window", number(busy.reduce((sum, step) => sum + step.rows, 0), 7)], ["Alarms", look.alarms.length], ["Ever recorded", number(look.recorded, 9)], ["Not recorded", look.unnoted === undefined ? null : number(look.unnoted, 7)]];
  byId("facts").replaceChildren(...facts.filter(([, value]) => value !== null).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const nothing = () => element("p", { class: "quiet" }, "Nothing yet.");
  byId("rate").replaceChildren(busy.length ? chart(byId("rate"), look.pace, [{ name: "rate", of: (step) => step.rows / minutes }], "Rows a minute over time", "rows a minute") : nothing());
  byId("latency").replaceChildren(busy.length ? chart(byId("rate"), look.pace, [{ name: "slow", of: (step) => (step.slow === null ? null : 1000 * step.slow) }, { name: "median", of: (step) => (step.median === null ? null : 1000 * step.median) }], "Milliseconds a request over time: the median, and dashed the 95th percentile", "ms") : nothing());
  const scores = Object.entries(look.scores).flatMap(([target, own]) => Object.entries(own).map(([name, entry]) => element("tr", {}, element("th", { scope: "row" }, target), element("td", {}, name.replaceAll("_", " ")), element("td", {}, number(entry.value)), element("td", {}, entry.low === null ? "–" : `${number(entry.low)} to ${number(entry.high)}`), element("td", {}, entry.judged === undefined ? "–" : number(entry.judged)), element("td", {}, number(entry.rows, 7)))));
  byId("scores").replaceChildren(scores.length ? element("div", { class: "scroll" }, tabled(["Target", "Metric", "Value", "95 % interval", "When judged", "Rows"], scores)) : element("p", { class: "quiet" }, "No truth has arrived: send it to /feedback, or to fathom watch --truth."));
  const order = ["drift", "changed", "expected", "steady", "too few rows"];
  const weight = (one) => (one.effect === null ? -1 : Math.abs(one.effect) / one.least);
  const sorted = [...look.drifts].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || weight(b) - weight(a));
  const kept = byId("every").checked ? sorted : sorted.slice(0, Math.max(8, look.alarms.length));
  const rows = kept.map((one) => element("tr", {}, element("th", { scope: "row" }, jointed(one.about === "column" ? one.column : `${one.column} (${one.about})`)), element("td", {}, one.question), element("td", { class: "size" }, sized(one), element("span", { class: "quiet" }, one.effect === null ? "–" : one.unit === "loss" ? `${number(one.effect)} sd` : percent(one.effect))), element("td", {}, element("span", { class: `tag ${one.status.split(" ")[0]}` }, one.status)), element("td", { class: "words quiet" }, one.words)));
  byId("drift").replaceChildren(rows.length ? tabled(["Column", "Question", "Effect", "State", "In numbers"], rows) : nothing());
}

async function watched() {
  if (!model || !model.watched) {
    byId("state").textContent = "Requests are not recorded, so that drift is not measured.";
    return;
  }
  const asked = model;
  try {
    const found = await fetched(`watch/${encodeURIComponent(asked.name)}`);
    if (asked !== model) return;  // another was chosen meanwhile
    look = found;
    shown();
  } catch (error) {
    if (asked !== model) return;
    byId("state").className = "broken";
    byId("state").textContent = `The monitor cannot be asked: ${error.message}`;
  }
}

function asksToken() {
  const input = element("input", { type: "password", id: "token", autocomplete: "off" });
  const button = element("button", { type: "submit" }, "Go on");
  const form = element("form", {}, element("p", {}, element("label", { for: "token" }, "This server asks for an access token. "), input, " ", button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token = input.value;
    form.remove();
    start();
  });
  byId("main").prepend(form);
  input.focus();
}

async function start() {
  try {
    models = (await fetched("page/models")).models;
  } catch (error) {
    if (error.status === 401 || error.status === 403) asksToken();
    else byId("state").textContent = error.message;
    return;
  }
  byId("models").replaceChildren(...models.map((one) => element("option", { value: one.name }, one.name)));
  byId("which").hidden = models.length < 2;
  chosen(models[0].name);
  setInterval(() => { if (!document.hidden) watched(); }, EVERY);
}

byId("form").addEventListener("submit", send);
byId("form").addEventListener("reset", () => { byId("answer").replaceChildren(); for (const old of document.querySelectorAll(".preview")) old.remove(); });
byId("example").addEventListener("click", () => filled(model.example));
byId("models").addEventListener("change", (event) => chosen(event.target.value));
byId("every").addEventListener("change", shown);
const given = byId("look");
if (given) {
  look = JSON.parse(given.textContent);
  byId("version").textContent = `Version ${look.version}, ${new Date(1000 * look.when).toISOString().replace("T", " ").slice(0, 16)} UTC`;
  shown();
} else if (document.body.dataset.watch) {
  models = [{ name: document.body.dataset.watch, watched: true }];
  model = models[0];
  watched();
  setInterval(() => { if (!document.hidden) watched(); }, EVERY);
} else start();
