import { expect, test } from "vitest";
import type { Range, TextDocument, Uri as RealUri } from "vscode";

import { selectionOf } from "../../src/attach.js";
import { uriOf } from "../../src/documents.js";
import { sandboxUri } from "../../src/sandbox_files.js";
import { Uri, workspace } from "./vscode.stub.js";

const range = { start: { line: 1, character: 0 }, end: { line: 2, character: 0 } };
const select = (uri: RealUri, text = "x = 1\n") => selectionOf({ uri, getText: () => text } as unknown as TextDocument, range as Range);

test("what is selected in a sandbox or a review is told by its place in the repository", async () => {
  expect(await select(sandboxUri("thread-1", "src/main.py"))).toEqual({ type: "selection", path: "src/main.py", range, text: "x = 1\n" });
  const diff = uriOf("main.py", { kind: "diff", threadId: "thread-1", against: "base", path: "src/main.py", side: "after" });
  expect(await select(diff)).toMatchObject({ path: "src/main.py" });
});

test("in a workspace that is nowhere on disk it is told by its place there, and one that was never saved by its name", async () => {
  expect(await select(Uri.from({ scheme: "untitled", path: "Untitled-1" }) as unknown as RealUri)).toMatchObject({ path: "Untitled-1" });
  workspace.getWorkspaceFolder = () => ({ uri: Uri.from({ scheme: "memfs", path: "/shop" }) });
  expect(await select(Uri.from({ scheme: "memfs", path: "/shop/src/a.ts" }) as unknown as RealUri)).toMatchObject({ path: "src/a.ts" });
});

test("a long selection is a part of its file", async () => {
  expect(await select(sandboxUri("thread-1", "src/main.py"), "x".repeat(100_001))).toEqual({ type: "file", path: "src/main.py", range });
});
