import { createEventSource } from "eventsource-client";
import { received, url } from "./report.mjs";

let last;
const source = createEventSource(url);
for await (const { data, event, id } of source) {
  // Without an id of its own, an event has none here.
  last = id ?? last;
  received(event ?? "message", data, last);
}
