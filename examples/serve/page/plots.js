// The plots: samples by time; the time without a connection is shaded.

const samples = { cpu: [], memory: [], load: [] };
const gaps = [];
let pointed = null;        // how long ago the sample under the pointer was, in milliseconds

function sample(type, value, time) {
  samples[type].push({ time, value });
  while (samples[type][0].time < time - WINDOW - BREAK) samples[type].shift();
  redraw();
}

// The newest sample, or the one under the pointer.
function current(type) {
  const all = samples[type];
  if (pointed === null || all.length === 0) return all.at(-1)?.value;
  const time = performance.now() - pointed;
  return all.reduce((best, one) => Math.abs(one.time - time) < Math.abs(best.time - time) ? one : best).value;
}

function plot(canvas, type, lines, top, { label = String, mark = null } = {}) {
  const style = getComputedStyle(document.documentElement);
  const color = name => style.getPropertyValue(`--${name}`);
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const now = performance.now();
  const x = time => width - 4 - (now - time) / WINDOW * width;
  const y = value => height - 4 - Math.min(value / top, 1) * (height - 10);
  const stroke = (path, name, thickness, dash = []) => {
    pen.strokeStyle = color(name); pen.lineWidth = thickness; pen.setLineDash(dash); pen.lineJoin = "round"; pen.stroke(path);
  };
  pen.fillStyle = color("gap");
  for (const { from, to } of gaps) pen.fillRect(x(from), 0, x(to ?? now) - x(from), height);
  const grid = new Path2D();
  for (const part of [0, .5, 1]) { grid.moveTo(0, y(top * part)); grid.lineTo(width, y(top * part)); }
  for (let past = 30_000; past < WINDOW; past += 30_000) { grid.moveTo(x(now - past), y(top)); grid.lineTo(x(now - past), y(0)); }
  stroke(grid, "grid", 1);
  if (mark !== null && mark <= top) {
    const line = new Path2D();
    line.moveTo(0, y(mark)); line.lineTo(width, y(mark));
    stroke(line, "muted", 1, [3, 4]);
  }
  lines.forEach(({ read, tone }, index) => {
    const line = new Path2D();
    const area = new Path2D();
    let before = null;
    for (const { time, value } of samples[type]) {
      const at = [x(time), y(read(value))];
      if (before === null || time - before.time > BREAK) {
        if (before) area.lineTo(x(before.time), y(0));
        line.moveTo(...at); area.moveTo(at[0], y(0));
      }
      line.lineTo(...at); area.lineTo(...at);
      before = { time, at };
    }
    if (before === null) return;
    area.lineTo(before.at[0], y(0));
    if (index === 0) { pen.globalAlpha = .13; pen.fillStyle = color(tone); pen.fill(area); pen.globalAlpha = 1; }
    stroke(line, tone, 1.6);
    pen.fillStyle = color(tone);
    pen.beginPath(); pen.arc(...before.at, 2.6, 0, 7); pen.fill();
  });
  if (pointed !== null) {
    const line = new Path2D();
    line.moveTo(x(now - pointed), 0); line.lineTo(x(now - pointed), height);
    stroke(line, "muted", 1);
  }
  pen.fillStyle = color("muted");
  pen.font = "10px system-ui, sans-serif";
  if (height > 100) {
    // With an edge, because a line may cross the text.
    pen.strokeStyle = color("panel"); pen.lineWidth = 3; pen.setLineDash([]);
    const write = (text, bottom) => { pen.strokeText(text, 2, bottom); pen.fillText(text, 2, bottom); };
    for (const part of [.5, 1]) write(label(top * part), y(top * part) + 11);
    write(`${WINDOW / 1000} s ago`, y(0) - 4);
  }
  canvas.onpointermove = event => { pointed = Math.max(0, (width - 4 - event.offsetX) / width * WINDOW); redraw(); };
  canvas.onpointerleave = () => { pointed = null; redraw(); };
}

function legend(id, items) {
  $(id).replaceChildren(...items.map(([tone, text]) => element("span", text, { style: `--tone: var(--${tone})` })));
}

const gib = bytes => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const percent = value => `${Math.round(value)} %`;
const ago = () => pointed === null ? "" : `, ${Math.round(pointed / 1000)} s ago`;

function drawCpu() {
  const now = current("cpu");
  if (!now) return;
  const tiles = $("cores");
  while (tiles.children.length > now.cores.length) tiles.lastChild.remove();
  while (tiles.children.length < now.cores.length) {
    const tile = element("div", "");
    const key = element("div", "", { class: "key" });
    key.append(element("small", `core ${tiles.children.length}`), element("span", ""));
    tile.append(key, element("canvas", "", { role: "img" }));
    tiles.append(tile);
  }
  tiles.toggleAttribute("data-many", now.cores.length > 4);
  $("cpu-now").textContent = `${percent(now.total)} of all${ago()}`;
  [...tiles.children].forEach((tile, core) => {
    const canvas = tile.lastChild;
    tile.firstChild.lastChild.textContent = percent(now.cores[core]);
    canvas.setAttribute("aria-label", `core ${core}: ${percent(now.cores[core])}`);
    plot(canvas, "cpu", [{ read: value => value.cores[core] ?? 0, tone: "blue" }], 100, { label: percent });
  });
}

function drawMemory() {
  const now = current("memory");
  if (!now) return;
  $("memory-now").textContent = `${percent(now.used / now.total * 100)}${ago()}`;
  const lines = [{ read: value => value.used, tone: "teal" }];
  const keys = [["teal", `${gib(now.used)} of ${gib(now.total)}`]];
  if (now.swap_total > 0) {
    lines.push({ read: value => value.swap_used / value.swap_total * value.total, tone: "amber" });
    keys.push(["amber", `swap ${gib(now.swap_used)} of ${gib(now.swap_total)}`]);
  }
  plot($("memory"), "memory", lines, now.total, { label: gib });
  legend("memory-key", keys);
}

function drawLoad() {
  const now = current("load");
  if (!now) return;
  const cores = samples.cpu.at(-1)?.value.cores.length ?? 1;
  const top = Math.ceil(Math.max(cores * 1.25, ...samples.load.flatMap(({ value }) => [value.one, value.five, value.fifteen])));
  $("load-now").textContent = `${count(cores)} ${cores === 1 ? "core" : "cores"}${ago()}`;
  const read = name => value => value[name];
  plot($("load"), "load", [{ read: read("one"), tone: "violet" }, { read: read("five"), tone: "blue" }, { read: read("fifteen"), tone: "muted" }],
    top, { label: value => value.toFixed(1), mark: cores });
  legend("load-key", [["violet", `1 min ${now.one.toFixed(2)}`], ["blue", `5 min ${now.five.toFixed(2)}`], ["muted", `15 min ${now.fifteen.toFixed(2)}`]]);
}
