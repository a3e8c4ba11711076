import Anthropic from "@anthropic-ai/sdk";
import { received, url } from "./report.mjs";

const client = new Anthropic({ apiKey: "none", baseURL: new URL("/", url).href });
const messages = [{ role: "user", content: "hello" }];
for (const model of ["line", "blank-line"]) {
  try {
    const stream = await client.messages.create({ model, messages, max_tokens: 9, stream: true });
    for await (const { type, delta } of stream) if (type === "content_block_delta") received("text", delta.text);
    received("answered", model);
  } catch (error) {
    received("failed", error.constructor.name);
  }
}
received("last", "");
