import OpenAI from "openai";
import { received, url } from "./report.mjs";

const client = new OpenAI({ apiKey: "none", baseURL: new URL("/v1", url).href });
const messages = [{ role: "user", content: "hello" }];
for (const model of ["line", "blank-line"]) {
  try {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    for await (const { choices } of stream) for (const { delta } of choices) received("text", delta.content);
    received("answered", model);
  } catch (error) {
    received("failed", error.constructor.name);
  }
}
received("last", "");
