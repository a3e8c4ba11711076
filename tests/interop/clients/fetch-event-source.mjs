import { fetchEventSource } from "/modules/@microsoft/fetch-event-source/lib/esm/index.js";
import { failed, over, received, url } from "./report.mjs";

await fetchEventSource(url, {
  signal: over,
  onmessage: ({ event, data, id }) => received(event || "message", data, id),
  // Comes back after what is no stream, too: by default it gives up.
  onopen: async response => { if (!response.ok) throw new Error(response.status); },
  // A stream that ends is over for it, if this does not throw.
  onclose: () => { throw new Error("again"); },
  onerror: () => 50,
}).catch(failed);
