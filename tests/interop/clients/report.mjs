// Shared by the clients in JavaScript. They report what they receive, one JSON object per line.
const lines = [];
const isPage = typeof document !== "undefined";
const { writeSync } = isPage ? {} : await import("node:fs");

// The address of the stream.
export const url = isPage ? new URL("/events", location).href : process.argv[2];
// The event types that an `EventSource` listens to.
export const types = ["message", "named", "stream-start", "last"];

// Aborted at the end, because a page stays open.
const controller = new AbortController();
export const over = controller.signal;

// Reports an event. One of the type `last` ends the client.
export function received(type, data, id) {
  say({ type, data: String(data), id: id ?? "" });
  if (type === "last") finish();
}

// Reports an error, and ends the client.
export function failed(error) {
  say({ error: String(error?.name ?? error) });
  finish();
}

export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// Follows the stream with any class that has the interface of `EventSource`.
export function follow(EventSource, options) {
  const source = new EventSource(url, options);
  for (const type of types) source.addEventListener(type, ({ data, lastEventId }) => received(type, data, lastEventId));
  over.addEventListener("abort", () => source.close());
  source.onerror = () => source.readyState === 2 && failed("closed");
}

// Reconnects for a library that does not: calls `read` for one response after the other.
export async function again(read) {
  for (;;) {
    try {
      const headers = lastEventId() ? { "last-event-id": lastEventId() } : {};
      const response = await fetch(url, { headers });
      if (response.ok) await read(response);
    } catch {
      // The connection was cut or refused.
    }
    await sleep(50);
  }
}

const lastEventId = () => lines.findLast(({ id }) => id !== undefined)?.id;

function say(line) {
  lines.push(line);
  if (!isPage) write(JSON.stringify(line) + "\n");
}

// Writes everything, also if the pipe is full at the moment.
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
