// A server of a test's own, on loopback, that ends with the test.

import { once } from "node:events";
import { createServer } from "node:http";

/** Answers with `serve`, where it fails `failed` is told; gives the address. */
export async function listen(test, serve, failed) {
  const server = createServer((request, response) => {
    Promise.resolve(serve(request, response)).catch((error) => {
      failed(error);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
