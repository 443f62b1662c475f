// The page on which rows are labelled. Everything that comes from the table is put in as text, never as markup.
"use strict";
const at = (name) => document.getElementById(name);
let state = null, busy = false, chosen = -1, undoing = false;  // chosen: the class that the arrows are on, if any
let sure = null;  // the number beyond what is usual that was asked about once

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

const written = (value) => value.toFixed(2).replace("-", "−");

function cell(one) {
  if (one.kind === "image") {
    const picture = element("img");
    picture.src = one.value;
    picture.alt = one.name;
    return picture;
  }
  if (one.kind === "audio") {
    const sound = element("audio");
    sound.controls = true;
    sound.src = one.value;
    return sound;
  }
  return element("bdi", one.value === "" ? "–" : one.value);
}

function showRow() {
  const place = at("row");
  place.replaceChildren();
  if (state.row === null) {
    place.append(element("p", "Every row has a label. You may close this page; the labels are on the disk."));
    return;
  }
  const list = element("dl");
  for (const one of state.row.cells) {
    if (one.kind !== "text" || one.value.length > 80) {
      const whole = element("div", undefined, "whole");
      whole.append(element("span", one.name, "name"), cell(one));
      place.append(whole);
    } else {
      const value = element("dd");
      value.append(cell(one));
      list.append(element("dt", one.name), value);
    }
  }
  place.append(list);
}

function showClasses() {
  const place = at("classes");
  place.replaceChildren();
  state.classes.forEach((label, index) => {
    const button = element("button");
    button.type = "button";
    if (index < 9) button.append(element("kbd", String(index + 1)), " ");
    button.append(element("bdi", label));
    button.disabled = state.row === null;
    if (index === chosen) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => send("label", { key: state.row.key, label }));
    place.append(button);
  });
}

function showNumber() {
  if (state.classes.length) at("last").textContent = String(Math.min(9, state.classes.length));
  const asked = state.classes.length === 0;
  at("number").hidden = !asked;
  if (!asked) return;
  at("help").textContent = "a number and Enter label";
  at("value").value = "";
  at("value").disabled = state.row === null;
  sure = null;
  at("usual").classList.remove("beyond");
  at("usual").textContent = state.usual === null ? "" : `usually ${state.usual[0]} to ${state.usual[1]}`;
  if (state.row !== null) at("value").focus();
}

function giveNumber() {
  const typed = at("value").value;  // what a browser gives of a number: a point before decimals, nothing where it is none
  if (state.row === null) return;
  if (typed === "") {
    at("usual").textContent = "That is no number.";
    at("usual").classList.add("beyond");
    return;
  }
  const beyond = state.usual !== null && (Number(typed) < state.usual[0] || Number(typed) > state.usual[1]);
  if (beyond && sure !== typed) {
    sure = typed;
    at("usual").textContent = `Beyond ${state.usual[0]} to ${state.usual[1]}: Enter again if it is so.`;
    at("usual").classList.add("beyond");
    return;
  }
  send("label", { key: state.row.key, label: typed });
}

function showAgreement() {
  const place = at("agreement");
  place.replaceChildren();
  for (const one of state.agreement) {
    place.append(element("h2", `You and ${one.other}`));
    const value = one.value;
    const apart = one.apart === null ? "" : `, and are ${Number(one.apart.toPrecision(4))} apart in the mean`;
    const told = value.value === null ? (value.reason || "") :
      `${one.measure[0].toUpperCase()}${one.measure.slice(1)} ${written(value.value)}` + (value.low === null ? "" : ` (${written(value.low)} to ${written(value.high)})`) +
      ` on ${one.rows} rows that both labelled; they differ on ${one.differing}${apart}.`;
    place.append(element("p", told));
    if (one.differ.length) {
      const table = element("table");
      const head = element("tr");
      for (const name of ["Row", "You", one.other]) head.append(element("th", name));
      table.append(head);
      for (const row of one.differ) {
        const line = element("tr");
        for (const value of [row.number, row.mine, row.theirs]) line.append(element("td", String(value)));
        table.append(line);
      }
      place.append(table);
    }
  }
}

function show() {
  at("who").textContent = `Labelled by ${state.labeller}; rows come ${state.asks}.`;
  at("target").textContent = state.target;
  at("progress").max = Math.max(state.total, 1);
  at("progress").value = state.done;
  at("count").textContent = `${state.done} of ${state.total}`;
  at("skip").disabled = state.row === null;
  at("undo").disabled = state.done === 0;
  showRow();
  showClasses();
  showNumber();
  showAgreement();
}

async function ask(name, body) {
  const answer = await fetch(name, body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function wait(now) {
  busy = now;
  document.body.setAttribute("aria-busy", String(now));
}

async function send(name, body) {
  if (busy) {  // a label meant for the row that is shown must not fall on the next; a wish to undo is kept
    undoing = undoing || name === "undo";
    return;
  }
  wait(true);
  try {
    state = await ask(name, body);
    chosen = -1;
    at("problem").hidden = true;
    show();
  } catch (error) {
    at("problem").textContent = `Not saved: ${error.message} Is fathom label still running?`;
    at("problem").hidden = false;
  } finally {
    wait(false);
  }
  if (undoing) {
    undoing = false;
    send("undo", {});
  }
}

document.addEventListener("keydown", (event) => {
  if (state === null || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target === at("value") && event.key !== " " && event.key !== "u") return;  // a number is being written
  const inside = event.target.closest("audio, button");
  if (event.key >= "1" && event.key <= "9") {
    const label = state.classes[Number(event.key) - 1];
    if (label !== undefined && state.row) send("label", { key: state.row.key, label });
  } else if (event.key === " " && !inside) {
    if (state.row) send("skip", { key: state.row.key });
  } else if (event.key === "u") {
    send("undo", {});
  } else if (state.classes.length && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const count = state.classes.length;
    chosen = event.key === "ArrowRight" ? (chosen + 1) % count : (Math.max(chosen, 0) + count - 1) % count;
    showClasses();
  } else if (event.key === "Enter" && !inside) {
    if (state.row && chosen >= 0) send("label", { key: state.row.key, label: state.classes[chosen] });
  } else {
    return;
  }
  event.preventDefault();
});
at("number").addEventListener("submit", (event) => { event.preventDefault(); giveNumber(); });
at("skip").addEventListener("click", () => { send("skip", { key: state.row.key }); at("skip").blur(); });
at("undo").addEventListener("click", () => { send("undo", {}); at("undo").blur(); });

ask("state").then((value) => { state = value; show(); }, (error) => { at("problem").textContent = error.message; at("problem").hidden = false; });
