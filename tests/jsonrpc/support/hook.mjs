// The other end of a webhook: remembers its calls, and answers as a test wants.

import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

import { LIMIT } from "./until.mjs";

export class Hook {
  static async open() {
    const hook = new Hook();
    hook.calls = [];
    /** Status of the answer to each call. */
    hook.answer = () => 204;
    hook.waiters = new Set();
    hook.server = http.createServer((request, response) => hook.#take(request, response));
    hook.server.listen(0, "127.0.0.1");
    await once(hook.server, "listening");
    hook.url = `http://127.0.0.1:${hook.server.address().port}/hook?key=in-the-address`;
    return hook;
  }

  async close() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  /** Waits for a call for which `test` holds. */
  async hears(what, test) {
    for (;;) {
      const found = this.calls.find(test);
      if (found) return found;
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`waited for ${what}; heard ${JSON.stringify(this.calls)}`)), LIMIT);
        this.waiters.add(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const call = { headers: request.headers, body, said: JSON.parse(body) };
    call.status = this.answer(call);
    this.calls.push(call);
    if (call.status) response.writeHead(call.status, { location: "http://127.0.0.1:9/" }).end();
    for (const waiter of this.waiters) waiter();
    this.waiters.clear();
  }
}

/** Checks a call as docs/notices.md says a receiver should. */
export function verified(secret, headers, body, now = Date.now()) {
  const id = headers["webhook-id"];
  const time = headers["webhook-timestamp"];
  if (Math.abs(now / 1000 - Number(time)) > 300) return false;
  const expected = createHmac("sha256", secret).update(`${id}.${time}.`).update(body).digest();
  return headers["webhook-signature"].split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
