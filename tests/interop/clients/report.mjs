// What every client in JavaScript shares: it says what it has received, one JSON object a line.
const lines = [];
const isPage = typeof document !== "undefined";
const { writeSync } = isPage ? {} : await import("node:fs");

// The address of the stream.
export const url = isPage ? new URL("/events", location).href : process.argv[2];
// Where an `EventSource` has to be told which it wants.
export const types = ["message", "named", "stream-start", "last"];

// Aborted when the last event has come: a page stays.
const controller = new AbortController();
export const over = controller.signal;

// Says what came. The event of the type `last` is the last one.
export function received(type, data, id) {
  say({ type, data: String(data), id: id ?? "" });
  if (type === "last") finish();
}

// Says that something went wrong, and ends.
export function failed(error) {
  say({ error: String(error?.name ?? error) });
  finish();
}

export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// Reads with anything that has the interface of the browsers' `EventSource`.
export function follow(EventSource, options) {
  const source = new EventSource(url, options);
  for (const type of types) source.addEventListener(type, ({ data, lastEventId }) => received(type, data, lastEventId));
  over.addEventListener("abort", () => source.close());
  source.onerror = () => source.readyState === 2 && failed("closed");
}

// Reads with what comes back only if its caller asks again: `read` reads one response.
export async function again(read) {
  for (;;) {
    try {
      const headers = lastEventId() ? { "last-event-id": lastEventId() } : {};
      const response = await fetch(url, { headers });
      if (response.ok) await read(response);
    } catch {
      // Cut.
    }
    await sleep(50);
  }
}

const lastEventId = () => lines.findLast(({ id }) => id !== undefined)?.id;

function say(line) {
  lines.push(line);
  if (!isPage) write(JSON.stringify(line) + "\n");
}

// All of it, also into a pipe that is full for the moment.
function write(text) {
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

async function finish() {
  if (!isPage) process.exit();
  if (over.aborted) return;
  controller.abort();
  await fetch("/seen", { method: "POST", body: lines.map(line => JSON.stringify(line)).join("\n") });
}

setTimeout(() => failed("stuck"), 60_000);
