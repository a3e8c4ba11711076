// What the page shows at this moment, in the terms of `Seen`.
const $ = id => document.getElementById(id);
const text = id => $(id).innerText;
const { color, backgroundColor } = getComputedStyle(document.body);
return {
  title: document.title,
  state: text("state"),
  events: Number(text("events").replaceAll(",", "")),
  reconnections: text("reconnections"),
  last: text("last"),
  readings: [text("cpu-now"), text("memory-now"), text("load-now")],
  plotted: samples.load.map(({ time }) => time),
  plots: document.querySelectorAll("canvas").length,
  rows: [...$("list").children].map(row => {
    const [, type, id, data] = row.children;
    return { event_type: type.innerText, id: id.innerText, data: data.innerText, elements: data.children.length, shown: row.checkVisibility() };
  }),
  connection: [...$("log").children].map(entry => entry.innerText.split("\n").filter(Boolean)),
  images: document.images.length,
  text: color,
  ground: backgroundColor,
};
