import { InMemoryEventStore } from "@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createServer } from "node:http";
import { cases, listening, port, sleep } from "./cases.mjs";

const server = new McpServer({ name: "interop", version: "0" });
server.registerTool("texts", {}, async ({ closeSSEStream }) => {
  // The client has to resume for the result.
  closeSSEStream();
  await sleep(50);
  return { content: cases.map(({ data }) => ({ type: "text", text: data })) };
});
const transport = new StreamableHTTPServerTransport({
  sessionIdGenerator: () => "1",
  eventStore: new InMemoryEventStore(),
  retryInterval: 50,
});
await server.connect(transport);
const listener = createServer((request, response) => transport.handleRequest(request, response));
listener.listen(port, "127.0.0.1", () => listening(listener.address().port));
