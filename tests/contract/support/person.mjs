// A person at a machine of their own who uses a forge through `aloft`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";

import { ALOFT, Home } from "../../jsonrpc/support/home.mjs";

export class Person {
  static async create(test) {
    const person = new Person();
    person.home = await Home.create(test);
    person.home.env.ALOFT_LOG = "trace";
    return person;
  }

  /** Runs `aloft … --json` with this on standard input; gives its exit code and what it printed. */
  async run(words, input = "") {
    const child = spawn(ALOFT, [...words, "--json"], { env: this.home.env, cwd: this.home.path("home"), stdio: "pipe" });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const code = await new Promise((resolve) => child.on("close", resolve));
    const text = out.trim();
    return { code, said: err, answer: text ? JSON.parse(text) : undefined };
  }

  /** Runs it; it must work. */
  async does(words, input) {
    const { code, said, answer } = await this.run(words, input);
    assert.equal(code, 0, `aloft ${words.join(" ")}: ${code}\n${JSON.stringify(answer)}\n${said}`);
    return answer;
  }

  /** Runs it; it must be refused for this reason. Gives the error. */
  async refused(reason, words, input) {
    const { code, said, answer } = await this.run(words, input);
    assert.notEqual(code, 0, `aloft ${words.join(" ")} was not refused`);
    assert.equal(answer?.error?.reason, reason, `${JSON.stringify(answer)}\n${said}`);
    return answer.error;
  }

  /** Connects an account. */
  connect(kind, url, token) {
    return this.does(["forge", "connect", kind, "--url", url, "--token-stdin"], `${token}\n`);
  }

  /** A thread of the `shell` agent that did this. */
  thread(repository, prompt, ...more) {
    return this.does(["new", "--repo", repository, "--agent", "shell", "--mode", "auto", "--wait", ...more, prompt]);
  }
}

/** A prompt by which the `shell` agent writes a file and runs a command. */
export function write(path, text, command = `test -s ${path}`) {
  return `Please write it.\n\n\`\`\`write ${path}\n${text}\n\`\`\`\n\n\`\`\`sh\n${command}\n\`\`\`\n`;
}
