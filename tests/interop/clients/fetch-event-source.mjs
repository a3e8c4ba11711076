import { fetchEventSource } from "/modules/@microsoft/fetch-event-source/lib/esm/index.js";
import { failed, over, received, url } from "./report.mjs";

await fetchEventSource(url, {
  signal: over,
  onmessage: ({ event, data, id }) => received(event || "message", data, id),
  // Retries after an error status; by default it gives up.
  onopen: async response => { if (!response.ok) throw new Error(response.status); },
  // Without an error here, it does not reconnect after the end of a stream.
  onclose: () => { throw new Error("again"); },
  onerror: () => 50,
}).catch(failed);
