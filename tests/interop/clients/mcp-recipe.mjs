import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { failed, received, url } from "./report.mjs";

const client = new Client({ name: "recipe", version: "0" });
const transport = new StreamableHTTPClientTransport(new URL(url));
const logged = [];
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => logged.push(params.data));
const count = (to, onprogress) => client.callTool({ name: "count", arguments: { to } }, undefined, { onprogress });
try {
  await client.connect(transport);
  received("server", client.getServerVersion().name);
  const { tools } = await client.listTools();
  for (const { name } of tools) received("tool", name);
  // The stream of what the server says unasked is opened by the client on its own.
  while (logged.length === 0) await count(1);
  received("log", logged[0]);
  // The connection is cut in the middle of this.
  const { content } = await count(5, ({ progress }) => received("progress", progress));
  received("result", content[0].text);
  await transport.terminateSession();
  await client.close();
} catch (error) {
  failed(error);
}
received("last", "");
