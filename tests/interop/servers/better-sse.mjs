import { createEventBuffer, createSession } from "better-sse";
import { createServer } from "node:http";
import { cases, listening, next, port, sleep } from "./cases.mjs";

const server = createServer(async (request, response) => {
  const purpose = next();
  if (purpose === "unavailable") return response.writeHead(503).end();
  const session = await createSession(request, response, { retry: 50, keepAlive: 20 });
  if (purpose === "cases") {
    // `push` would give an id to each event.
    const buffer = createEventBuffer();
    for (const { type, id, data, retry } of cases) {
      if (type !== undefined) buffer.event(type);
      if (id !== undefined) buffer.id(id);
      if (retry !== undefined) buffer.retry(retry);
      buffer.data(data).dispatch();
    }
    await session.batch(buffer);
    await sleep(50);
    return request.socket.destroy();
  }
  session.push(session.lastId, purpose, session.lastId);
  await sleep(100);
  if (purpose === "again") session.push("", "last", session.lastId);
});
server.listen(port, "127.0.0.1", () => listening(server.address().port));
