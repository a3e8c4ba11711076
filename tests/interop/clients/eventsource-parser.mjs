import { EventSourceParserStream } from "eventsource-parser/stream";
import { again, received } from "./report.mjs";

let last;
await again(async response => {
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { data, event, id } of events) {
    last = id ?? last;
    received(event ?? "message", data, last);
  }
});
