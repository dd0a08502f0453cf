// A person's machine with the real programs in it: everything below one folder, removed at the end.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PROGRAMS =
  process.env.ALOFT_TEST_PROGRAMS ?? fileURLToPath(new URL("../../../target/debug", import.meta.url));

/** The bridge that is driven. */
export const ALOFT = path.join(PROGRAMS, "aloft");
/** The one that people use, which may not be built. */
export const RELEASED = path.join(PROGRAMS, "../release/aloft");

const run = promisify(execFile);

export class Home {
  #root;

  constructor(root) {
    this.#root = root;
    /** Bridges that editors here have started. */
    this.bridges = [];
    this.env = {
      PATH: process.env.PATH,
      LANG: process.env.LANG ?? "C.UTF-8",
      HOME: this.path("home"),
      ALOFT_CONFIG_DIR: this.path("config"),
      ALOFT_DATA_DIR: this.path("data"),
      ALOFT_RUNTIME_DIR: this.path("run"),
    };
  }

  /** A new machine on which nothing was done yet; with a test, it goes with the test. */
  static async create(test) {
    // Short, because sockets live below it; traversable, because a sandbox's own user must reach its folder.
    const root = await mkdtemp("/var/tmp/aj");
    await chmod(root, 0o711);
    const home = new Home(root);
    await mkdir(home.path("home"));
    await mkdir(home.path("config"));
    const config = `[serve]\nsandboxDir = ${JSON.stringify(home.path("s"))}\n`;
    await writeFile(home.path("config/config.toml"), config);
    test?.after(() => home.close());
    return home;
  }

  /** A path below the machine's folder. */
  path(below) {
    return path.join(this.#root, below);
  }

  /** Ends what still runs, stops the cloud and removes everything. */
  async close() {
    for (const bridge of this.bridges) bridge.kill("SIGKILL");
    await run(ALOFT, ["cloud", "stop"], { env: this.env }).catch(() => {});
    await rm(this.#root, { recursive: true, force: true });
  }

  /** Runs `aloft … --json`, which must work; gives what it printed. */
  async json(...words) {
    const { stdout } = await run(ALOFT, [...words, "--json"], {
      env: this.env,
      cwd: this.path("home"),
      maxBuffer: 1 << 28,
    });
    return JSON.parse(stdout);
  }

  /** All events of a thread's log up to `last`, as the command line tells them. */
  async events(thread, last) {
    const words = ["follow", thread, "--after", "0", "--json"];
    const follow = spawn(ALOFT, words, { env: this.env, stdio: ["ignore", "pipe", "inherit"] });
    const events = [];
    for await (const line of createInterface({ input: follow.stdout })) {
      events.push(JSON.parse(line));
      if (events.at(-1).cursor >= last) break;
    }
    follow.kill();
    return events;
  }

  /** Runs git as a person without configuration would. */
  async git(folder, ...words) {
    const settings = ["user.name=Test", "user.email=test@localhost", "init.defaultBranch=main"];
    const { stdout } = await run("git", [...settings.flatMap((setting) => ["-c", setting]), ...words], {
      cwd: folder,
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      maxBuffer: 1 << 26,
    });
    return stdout;
  }

  /** A small repository with two commits. */
  async repository(name = "repository") {
    const folder = this.path(name);
    await mkdir(path.join(folder, "src"), { recursive: true });
    await this.git(folder, "init", "-q");
    await writeFile(path.join(folder, "README.md"), "# Sample\n");
    await this.git(folder, "add", ".");
    await this.git(folder, "commit", "-q", "-m", "begin");
    await writeFile(path.join(folder, "src/main.py"), "FLAG = False\n");
    await this.git(folder, "add", ".");
    await this.git(folder, "commit", "-q", "-m", "add main");
    return folder;
  }

  /** Whether a file is in the workspace of a thread, seen from outside of its sandbox. */
  async inWorkspace(thread, name) {
    const folder = this.path(`s/s/${thread}/workspace`);
    assert.ok((await readdir(folder)).includes(".git"), "this is no workspace");
    return (await readdir(folder)).includes(name);
  }
}

/** Checks that a promise is refused with this code and reason; gives the error. */
export async function refused(promise, code, reason) {
  const error = await promise.then(
    (value) => assert.fail(`not refused: ${JSON.stringify(value)}`),
    (error) => error,
  );
  assert.equal(error.code, code, `${error.code} ${error.message} ${JSON.stringify(error.data)}`);
  assert.equal(error.data?.reason, reason, error.message);
  assert.equal(typeof error.data.retryable, "boolean");
  assert.ok(error.message.length > 0);
  return error;
}
