// Pictures, and a server elsewhere that must not be asked for any.

import { listen } from "./listen.mjs";

/** Bytes that begin as a PNG does, with these words in them. */
export function picture(words, size = 0) {
  const head = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.from(words)]);
  return Buffer.concat([head, Buffer.alloc(Math.max(0, size - head.length))]);
}

/** A server that answers nothing and remembers what it was asked. */
export async function listener(test) {
  const asked = [];
  const url = await listen(test, (request, response) => {
    asked.push(request.url);
    response.writeHead(404).end();
  });
  return { url, asked };
}
