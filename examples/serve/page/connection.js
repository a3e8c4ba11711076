// The connection: its state and its history.

const total = { events: 0, live: 0, reconnections: 0, missed: 0 };
let source = null, state = null, entry = null, lost = null, attempts = 0, lastId = null, run = null;
// The events of the past that are still to come, the time when the server started, and the time of the newest of these events.
let replayed = 0, started = 0, past = null;

function become(next, text, ...details) {
  state = next;
  $("state").dataset.state = next;
  $("state").textContent = next;
  $("toggle").textContent = next === "ended" ? "Connect" : "Disconnect";
  document.title = `${next} \u00b7 ${$("host").textContent}`;
  entry = element("li", "", { "data-state": next });
  const body = element("div", "");
  body.append(element("span", text), element("small", clock.format(new Date())));
  entry.append(body);
  for (const detail of details) say(detail);
  $("log").prepend(entry);
  if ($("log").children.length > LOG) $("log").lastChild.remove();
}

const say = text => entry.firstChild.append(element("small", text));
const idText = id => id === null ? "no Last-Event-ID" : `Last-Event-ID ${id}`;

function connect() {
  // A new EventSource knows nothing of the one before: the last event ID goes into the query. When it reconnects by itself, it sends the header.
  // Without an ID the page asks for all that the server has kept.
  source = new EventSource(lastId === null ? "events?from=oldest" : `events?last_event_id=${encodeURIComponent(lastId)}`);
  become("connecting", "Connecting", `with ${idText(lastId)}`);
  source.onopen = opened;
  source.onerror = failed;
  for (const type of TYPES) source.addEventListener(type, event => received(type, event));
}

function opened() {
  const gap = gaps.at(-1);
  if (gap) gap.to ??= performance.now();
  if (lost !== null) $("reconnections").textContent = count(++total.reconnections);
  become("open", lost === null ? "Open" : `Open again after ${seconds(performance.now() - lost)}`);
  lost = null;
}

function failed() {
  if (source.readyState === EventSource.CLOSED) return end("Ended", "the server's answer was not an event stream");
  if (state === "reconnecting") {
    attempts += 1;
    entry.firstChild.lastChild.textContent = `attempt ${count(attempts)}`;
    return;
  }
  attempts = 1;
  leave();
  become("reconnecting", "Reconnecting", `with ${idText(lastId)}`, "attempt 1");
}

function leave() {
  if (lost !== null) return;
  lost = performance.now();
  gaps.push({ from: lost, to: null });
  while (gaps.length > 1 && gaps[0].to < lost - WINDOW) gaps.shift();
}

function end(text, ...details) {
  source.close();
  leave();
  attempts = 0;
  become("ended", text, ...details);
}

function received(type, event) {
  total.events += 1;
  lastId = event.lastEventId === "" ? null : event.lastEventId;
  const value = type in samples || type === "hello" ? JSON.parse(event.data) : null;
  const time = timeOf(type, value);
  // An event without an ID of its own repeats the last one. `bye` has none here, and that of `hello` is of no event.
  list({ type, time, id: type === "hello" || type === "bye" ? "" : event.lastEventId, data: event.data });
  if (type in samples) sample(type, value, time);
  if (type === "hello") greeted(value);
  if (type === "bye") say(`the server said: ${event.data}`);
}

// A reading of the past says when it was taken, in milliseconds since the server started. A line does not, but there is a reading each second: a line
// has the time of the reading before it, and the first lines have that of the reading after them.
function timeOf(type, value) {
  const now = performance.now();
  if (type === "hello") {
    started = now - value.at;
    past = null;
    replayed = value.replayed;
    return now;
  }
  if (replayed === 0) {
    total.live += 1;
    return now;
  }
  replayed -= 1;
  if (value !== null) {
    if (past === null) for (const line of seen.line.waiting) line.time ??= started + value.at;
    past = started + value.at;
  }
  return past;
}

function greeted(hello) {
  $("host").textContent = hello.host ?? "serve";
  $("system").textContent = [hello.system, "sse-proto"].filter(Boolean).join(" \u00b7 ");
  document.title = `${state} \u00b7 ${$("host").textContent}`;
  say(`the server received ${idText(hello.last_event_id)}`);
  const events = `${count(hello.replayed)} ${hello.replayed === 1 ? "event" : "events"}`;
  if (run !== null && run !== hello.run) say("the server was restarted");
  else if (hello.begins === "gap") say("some events are gone: the server keeps only so many");
  else if (hello.begins === "oldest") say(`${events} from before this page was opened`);
  else if (hello.begins === "resumed") {
    $("missed").textContent = count(total.missed += hello.replayed);
    say(hello.replayed === 0 ? "nothing was missed" : `${events} came late, none was lost`);
  }
  run = hello.run;
}

$("toggle").onclick = () => state === "ended" ? connect() : end("Ended", "by the button on this page");
