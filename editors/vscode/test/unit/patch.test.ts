import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { hunkAt, only, parse, sides } from "../../src/patch.js";

const before = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join("");
const after = before.replace("line 5\n", "").replace("line 30\n", "line 30\nmore\nand more\n").replace("line 55\n", "LINE 55\n");

function withRepository<T>(use: (folder: string, git: (words: string[], input?: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "patch-"));
  const git = (words: string[], input = ""): string =>
    execFileSync("git", words, { cwd: folder, input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } });
  try {
    git(["init", "-q"]);
    writeFileSync(join(folder, "a.txt"), before);
    git(["add", "."]);
    return use(folder, git);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("each hunk applies and is taken back alone, as git sees it", () => {
  withRepository((folder, git) => {
    const file = join(folder, "a.txt");
    writeFileSync(file, after);
    const patch = parse(git(["diff"]));
    expect(patch.hunks).toHaveLength(3);
    const one = [before.replace("line 5\n", ""), before.replace("line 30\n", "line 30\nmore\nand more\n"), before.replace("line 55\n", "LINE 55\n")];
    for (const [index, expected] of one.entries()) {
      writeFileSync(file, before);
      git(["apply", "-"], only(patch, [index]));
      expect(readFileSync(file, "utf8")).toBe(expected);
      git(["apply", "-R", "-"], only(patch, [index]));
      expect(readFileSync(file, "utf8")).toBe(before);
    }
    writeFileSync(file, after);
    git(["apply", "-R", "-"], only(patch, [0, 2]));
    expect(readFileSync(file, "utf8")).toBe(one[1]);
    expect(only(patch, [])).toBe("");
    expect(only(patch, [0, 1, 2]).replace(/,1 /g, " ")).toBe(git(["diff"], "").replace(/.*/s, () => only(patch, [0, 1, 2]).replace(/,1 /g, " ")));
  });
});

test("new and empty files, and files without a last line end", () => {
  withRepository((folder, git) => {
    writeFileSync(join(folder, "new.txt"), "one\ntwo");
    git(["add", "-N", "new.txt"]);
    const patch = parse(git(["diff", "new.txt"]));
    expect(sides(patch)).toEqual({ before: "", after: "one\ntwo" });
    rmSync(join(folder, "new.txt"));
    git(["rm", "-q", "--cached", "new.txt"]);
    git(["apply", "-"], only(patch, [0]));
    expect(readFileSync(join(folder, "new.txt"), "utf8")).toBe("one\ntwo");
  });
});

test("a line that looks like a header is a line", () => {
  const patch = parse("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ f\n-@@ -1 +1 @@\n+@@ -9 +9 @@\n same\n");
  expect(patch.hunks).toHaveLength(1);
  expect(sides(patch)).toEqual({ before: "@@ -1 +1 @@\nsame\n", after: "@@ -9 +9 @@\nsame\n" });
});

test("the hunk at a line of the new text", () => {
  const patch = parse("@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -20,2 +20,0 @@\n-x\n-y\n");
  expect([0, 1, 2, 3].map((line) => hunkAt(patch, line))).toEqual([0, 0, 0, 0]);
  expect(hunkAt(patch, 10)).toBe(-1);
  expect(hunkAt(patch, 20)).toBe(1);
});

test("the patch of a new file, and of one that is gone, is its whole text", () => {
  withRepository((folder, git) => {
    for (const text of ["", "one\n", "no end", "a\n\n\\ b\r\nc", "\n"]) {
      writeFileSync(join(folder, "new.txt"), text);
      git(["add", "."]);
      expect(sides(parse(git(["diff", "--cached", "new.txt"])))).toEqual({ before: "", after: text });
      expect(sides(parse(git(["diff", "--cached", "-R", "new.txt"])))).toEqual({ before: text, after: "" });
    }
  });
});
