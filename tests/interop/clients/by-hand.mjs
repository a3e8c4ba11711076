// As often written by hand: splits at blank lines, and takes a block that begins with a colon for a comment.
import { again, received } from "./report.mjs";

let last;
await again(async response => {
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split("\n\n");
    text = blocks.pop();
    for (const block of blocks.filter(block => !block.startsWith(":"))) {
      const data = [];
      let event = "message";
      for (const line of block.split("\n")) {
        if (line.startsWith("data: ")) data.push(line.slice(6));
        if (line.startsWith("event: ")) event = line.slice(7);
        if (line.startsWith("id: ")) last = line.slice(4);
      }
      if (data.length > 0) received(event, data.join("\n"), last);
    }
  }
});
