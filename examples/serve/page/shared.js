const TYPES = ["hello", "cpu", "memory", "load", "line", "bye", "message"];
const WINDOW = 90_000;     // the time that a plot shows, in milliseconds
const BREAK = 2_500;       // two samples further apart than this are not joined
const ROWS = 500;          // rows kept of each event type
const SHOWN = 2_000;       // characters of one event's data that are shown
const LOG = 100;           // entries kept of the connection's history
const $ = id => document.getElementById(id);
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const count = n => n.toLocaleString("en");
// A time of `performance.now()` as a date.
const date = time => new Date(Date.now() - performance.now() + time);
const seconds = ms => `${(ms / 1000).toFixed(1)} s`;

// Everything that arrives is shown through here, as text and never as markup.
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
