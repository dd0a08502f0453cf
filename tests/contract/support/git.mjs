// git over HTTP from bare repositories, as git itself serves it.

import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const ENV = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
const PERSON = ["-c", "user.name=Forge", "-c", "user.email=forge@localhost"];

/** Runs git in a bare repository. */
export async function git(repository, ...words) {
  const { stdout } = await run("git", [...PERSON, "--git-dir", repository, ...words], { env: ENV });
  return stdout.trim();
}

/** The commit of a branch; nothing, where there is none. */
export function tip(repository, branch) {
  return git(repository, "rev-parse", "--verify", "--quiet", `refs/heads/${branch}`).catch(() => undefined);
}

/** Merges one branch into another, as the button of a forge does; gives the commit. */
export async function merge(repository, base, head) {
  const parents = [await tip(repository, base), await tip(repository, head)];
  const tree = await git(repository, "merge-tree", "--write-tree", ...parents);
  const words = parents.flatMap((parent) => ["-p", parent]);
  const commit = await git(repository, "commit-tree", tree, ...words, "-m", `Merge ${head}`);
  await git(repository, "update-ref", `refs/heads/${base}`, commit, parents[0]);
  return commit;
}

/** Answers one request of git. `who` is the person whose token it brought. */
export function serve(request, response, { root, path, query, who }) {
  const headers = request.headers;
  const env = {
    ...ENV,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: path,
    QUERY_STRING: query,
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: headers["content-type"] ?? "",
    REMOTE_USER: who,
    REMOTE_ADDR: "127.0.0.1",
    ...(headers["content-encoding"] && { HTTP_CONTENT_ENCODING: headers["content-encoding"] }),
    ...(headers["git-protocol"] && { GIT_PROTOCOL: headers["git-protocol"] }),
    ...(headers["content-length"] && { CONTENT_LENGTH: headers["content-length"] }),
  };
  const backend = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "inherit"] });
  backend.stdin.on("error", () => {});
  request.pipe(backend.stdin);
  response.on("close", () => backend.kill());
  let head = Buffer.alloc(0);
  const read = (piece) => {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    backend.stdout.off("data", read);
    for (const line of head.subarray(0, end).toString().split("\r\n")) {
      const [name, value] = line.split(/: (.*)/s);
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  };
  backend.stdout.on("data", read);
}
