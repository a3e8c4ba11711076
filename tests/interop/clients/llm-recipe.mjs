// What applications do with a chat-completions endpoint, by the packages that they do it with.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import OpenAI from "openai";
import { received, url } from "./report.mjs";

const ask = (content) => [{ role: "user", content }];
const client = new OpenAI({ apiKey: "a token", baseURL: url, maxRetries: 0 });

async function read(content, options = {}) {
  const stream = await client.chat.completions.create({
    model: "echo", messages: ask(content), stream: true, stream_options: { include_usage: true }, ...options,
  });
  for await (const chunk of stream) {
    for (const { delta, finish_reason } of chunk.choices) {
      if (delta.content) received("text", delta.content);
      if (finish_reason) received("finish", finish_reason);
    }
    if (chunk.usage) received("usage", chunk.usage.total_tokens);
  }
}

await read("think of one two");
await read("one fail two").catch((error) => received("failed", error.message));
const none = new OpenAI({ apiKey: "x", baseURL: url, maxRetries: 0, defaultHeaders: { authorization: null } });
await none.chat.completions.create({ model: "echo", messages: ask("x") }).catch((error) => received("refused", error.status));

const { stream, controller } = await client.chat.completions
  .create({ model: "echo", messages: ask("stop " + "and go ".repeat(200)), stream: true })
  .then((stream) => ({ stream, controller: stream.controller }));
for await (const { choices } of stream) if (choices[0].delta.content) break;
controller.abort();
received("canceled", "");

const provider = createOpenAICompatible({ name: "echo", baseURL: url, apiKey: "a token" });
let text = "";
for await (const part of streamText({ model: provider("echo"), prompt: "by the ai package" }).textStream) text += part;
received("ai", text);
received("last", "");
