import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { cases, listening, next, port, sleep } from "./cases.mjs";

const app = new Hono();
app.get("/events", context => {
  const purpose = next();
  if (purpose === "unavailable") return context.text("", 503);
  return streamSSE(context, async stream => {
    if (purpose === "cases") {
      for (const { type, id, data, retry } of cases) await stream.writeSSE({ event: type, id, data, retry });
      await sleep(50);
      return context.env.incoming.socket.destroy();
    }
    await stream.writeSSE({ event: purpose, data: context.req.header("last-event-id") });
    // Hono has no keep-alives.
    await stream.write(": keep-alive\n\n");
    if (purpose === "again") await stream.writeSSE({ event: "last", data: "" });
    await sleep(1_000_000);
  });
});
serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, ({ port }) => listening(port));
