// A cloud on a port, and a network to it that a test can break in the ways real ones break.

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import net from "node:net";
import path from "node:path";

import { ALOFT } from "./home.mjs";
import { until } from "./until.mjs";

const TOKEN = "token-of-the-tests";

/** A cloud whose data lie on this machine; bridges of this home use it, through the relay. */
export class Remote {
  static async start(home) {
    const remote = new Remote();
    remote.home = home;
    remote.port = await freePort();
    remote.relay = await Relay.to(remote.port);
    home.env.ALOFT_TOKEN = TOKEN;
    await remote.run();
    home.env.ALOFT_CLOUD = remote.relay.url;
    return remote;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async run() {
    const { ALOFT_CLOUD: _, ...env } = this.home.env;
    const log = openSync(this.home.path("remote.log"), "a");
    const words = ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.home.path("remote")];
    const program = path.join(path.dirname(ALOFT), "aloft-cloud");
    this.child = spawn(program, words, { env, stdio: ["ignore", "ignore", log], detached: true });
    this.ended = once(this.child, "exit");
    await until("the cloud to answer", () => answers(this.port));
  }

  /** Kills it as a crash would. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async close() {
    this.relay.close();
    this.child.kill("SIGTERM");
    await this.ended;
  }
}

/** Relays TCP to a port of this machine. */
export class Relay {
  #pairs = new Set();
  #waiting = [];

  static async to(port) {
    const relay = new Relay();
    relay.target = port;
    /**
     * up, cut: closed and refused, silent: lost without a word, deaf: what is asked arrives, no answer does, hollow: what is
     * new passes, and what was there is lost, but kept alive by a box in between.
     */
    relay.network = "up";
    relay.server = net.createServer({ pauseOnConnect: true }, (client) => relay.#accept(client));
    relay.server.listen(0, "127.0.0.1");
    await once(relay.server, "listening");
    relay.url = `http://127.0.0.1:${relay.server.address().port}`;
    return relay;
  }

  set(network) {
    this.network = network;
    if (network === "cut") for (const pair of this.#pairs) pair.close();
    // Connections from before a silence never work again.
    if (network === "silent") for (const pair of this.#pairs) pair.lose();
    if (network === "hollow") for (const pair of this.#pairs) pair.hollow();
    if (network === "up") for (const client of this.#waiting.splice(0)) this.#join(client);
  }

  close() {
    this.set("cut");
    this.server.close();
  }

  #accept(client) {
    client.on("error", () => {});
    if (this.network === "cut") client.destroy();
    else if (this.network === "silent") this.#waiting.push(client);
    else this.#join(client);
  }

  #join(client) {
    const server = net.connect(this.target, "127.0.0.1");
    server.on("error", () => {});
    let [lost, hollow] = [false, false];
    const pings = new Pings();
    const pair = {
      close: () => (client.destroy(), server.destroy()),
      lose: () => (lost = true),
      hollow: () => (lost = hollow = true),
    };
    this.#pairs.add(pair);
    client.on("data", (bytes) => {
      const answers = pings.answers(bytes);
      if (hollow) client.write(answers);
      else if (!lost) server.write(bytes);
    });
    server.on("data", (bytes) => lost || this.network === "deaf" || client.write(bytes));
    for (const side of [client, server]) side.on("close", () => lost || (pair.close(), this.#pairs.delete(pair)));
    client.resume();
  }
}

/** The pings in what a client of HTTP/2 sends. */
class Pings {
  #rest = Buffer.alloc(0);
  /** Of the words a connection begins with. */
  #before = 24;

  /** The answers to those that end in these bytes. */
  answers(bytes) {
    const skipped = Math.min(this.#before, bytes.length);
    this.#before -= skipped;
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(skipped)]);
    const answers = [];
    for (let end; this.#rest.length >= 9 && this.#rest.length >= (end = 9 + this.#rest.readUIntBE(0, 3)); ) {
      const frame = Buffer.from(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
      // A PING that is no answer itself.
      if (frame[3] === 6 && frame[4] === 0) answers.push((frame.writeUInt8(1, 4), frame));
    }
    return Buffer.concat(answers);
  }
}

/** A port below those the kernel gives to whoever connects somewhere: it is still free when the cloud comes back to it. */
async function freePort() {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });
}
