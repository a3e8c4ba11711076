import { createEventSource } from "eventsource-client";
import { received, url } from "./report.mjs";

let last;
const source = createEventSource(url);
for await (const { data, event, id } of source) {
  // An event has only its own id here.
  last = id ?? last;
  received(event ?? "message", data, last);
}
