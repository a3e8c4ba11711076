// The list of events: one batch of rows a frame, a bounded number of rows of each type.

const seen = Object.fromEntries(TYPES.map(type => [type, { total: 0, rows: [], waiting: [], shown: true, chip: null }]));

function chip(type) {
  const made = element("button", "", { type: "button", "data-type": type });
  made.onclick = () => show(type, !seen[type].shown);
  $("chips").append(made);
  return made;
}

// A chip says how many events of its type there are, whether they are listed, and what a click does.
function label({ chip, shown, total }, type) {
  chip.textContent = `${shown ? "\u2713 " : ""}${type} ${count(total)}`;
  chip.title = `${shown ? "Hide" : "Show"} events of the type ${type}`;
  chip.setAttribute("aria-pressed", shown);
}

function show(type, shown) {
  const of = seen[type];
  of.shown = shown;
  if (of.chip !== null) label(of, type);
  for (const row of of.rows) row.hidden = !shown;
}

function list(event) {
  const of = seen[event.type];
  of.total += 1;
  // Copied, because a slice of a long string keeps all of it in memory.
  const data = Array.from(event.data.slice(0, SHOWN)).join("");
  of.waiting.push({ ...event, order: total.events, data, length: event.data.length });
  if (of.waiting.length > ROWS) of.waiting.shift();
  if (event.type === "line" && of.total === 1) for (const type of ["cpu", "memory", "load"]) show(type, false);
  redraw();
}

// A line break within the data stays visible, and so does what else would change how it looks: control characters (ESC as ^[,
// NUL as ^@), and those that turn the direction of writing.
const visible = text => text
  .replace(/[\0-\x08\x0b-\x1f\x7f]/g, c => `^${String.fromCharCode(c.charCodeAt(0) ^ 64)}`)
  .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, c => `<U+${c.charCodeAt(0).toString(16).toUpperCase()}>`)
  .replaceAll("\n", "\u23ce\n");

// An id whose end stays visible if there is no room for all of it: the end tells it from others.
function number(id) {
  const made = element("small", "", { class: "id", title: id });
  made.append(element("bdi", id));
  return made;
}

function row({ time, type, id, data, length }) {
  const made = element("li", "", { "data-type": type });
  const text = element("span", visible(data));
  if (length > SHOWN) text.prepend(element("small", `The first ${count(SHOWN)} of ${count(length)} characters:\n`));
  made.append(element("small", clock.format(date(time ?? started))), element("span", type), number(id), text);
  made.hidden = !seen[type].shown;
  return made;
}

function drawList() {
  const list = $("list");
  const follows = list.scrollTop + list.clientHeight > list.scrollHeight - 12;
  const batch = [];
  for (const [type, of] of Object.entries(seen)) {
    if (of.waiting.length === 0) continue;
    of.chip ??= chip(type);
    label(of, type);
    batch.push(...of.waiting);
    of.waiting = [];
  }
  batch.sort((a, b) => a.order - b.order);
  for (const item of batch) {
    const { rows } = seen[item.type];
    const made = row(item);
    list.append(made);
    if (rows.push(made) > ROWS) rows.shift().remove();
  }
  if (follows) list.scrollTop = list.scrollHeight;
}
