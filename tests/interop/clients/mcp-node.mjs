import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { failed, received, url } from "./report.mjs";

const client = new Client({ name: "interop", version: "0" });
try {
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", url)));
  for (const name of ["line", "blank-line"]) {
    const { content } = await client.callTool({ name, arguments: {} });
    for (const { text } of content) received("text", text);
    received("answered", name);
  }
} catch (error) {
  failed(error);
}
received("last", "");
