import { expect, test } from "vitest";

import type { Bridge } from "../../src/bridge.js";
import { Documents, sideOf, uriOf, type Address } from "../../src/documents.js";
import { RequestError } from "../../src/errors.js";
import type { FileDiff } from "../../src/protocol.js";

const PATCH = "@@ -1,2 +1,2 @@\n same\n-old\n+new\n";
const file = (more: Partial<FileDiff>): FileDiff => ({ path: "a", status: "modified", additions: 1, deletions: 1, binary: false, ...more });

test.each<[string, Partial<FileDiff>, string, string]>([
  ["changed", { oldText: "old", newText: "new" }, "old", "new"],
  ["new", { status: "added", newText: "new" }, "", "new"],
  ["deleted", { status: "deleted", oldText: "old" }, "old", ""],
  ["binary", { binary: true }, "(binary file)\n", "(binary file)\n"],
  ["large", { patch: PATCH }, "same\nold\n", "same\nnew\n"],
  ["larger still", {}, "(too large to be shown)\n", "(too large to be shown)\n"],
  ["empty and new", { status: "added", newText: "" }, "", ""],
])("the two sides of a file that is %s", (_, more, before, after) => {
  expect([sideOf(file(more), "before"), sideOf(file(more), "after")]).toEqual([before, after]);
});

test("one file that cannot be read says why and what to do, the others show, and it is read again when it is asked for", async () => {
  let refuse = true;
  const bridge = {
    request: async (_: string, { path }: { path: string }) => {
      if (refuse && path === "bad.ts") throw new RequestError("the cloud cannot be reached", -32014, "UNREACHABLE", "try again later");
      return file({ path, newText: `text of ${path}` });
    },
  } as unknown as Bridge;
  const documents = new Documents(bridge);
  const read = (path: string): Promise<string> => {
    const address: Address = { kind: "diff", threadId: "t", against: "base", path, side: "after" };
    return documents.provideTextDocumentContent(uriOf(path, address));
  };
  const [good, bad] = await Promise.all([read("good.ts"), read("bad.ts")]);
  expect(good).toBe("text of good.ts");
  expect(bad.split("\n")).toEqual(["This could not be read: the cloud cannot be reached", "try again later", "Run “Aloft: Refresh Review” to try again."]);
  refuse = false;
  expect(await read("bad.ts")).toBe("text of bad.ts");
});
