// Parts of the code that go along with a message: selections and files, with the commit they were seen at.

import { createHash } from "node:crypto";
import path from "node:path";

import * as vscode from "vscode";

import type { Stale } from "../webview/create_messages.js";
import { addressOf } from "./documents.js";
import { commitOf, repositoryOf } from "./git.js";
import type { Input, Range } from "./protocol.js";
import { SANDBOX } from "./sandbox_files.js";
import { plain } from "./text.js";

const t = vscode.l10n.t;
/** Longer selections are the file's to tell. */
const LONGEST = 100_000;
/** Larger files are told apart by size and time. */
const LARGE = 16 * 1024 * 1024;

/** What is selected, also in a document that was never saved. */
export async function selectionOf(document: vscode.TextDocument, selection: vscode.Range): Promise<Input> {
  const where = await placeOf(document.uri);
  const part = { path: where, range: rangeOf(selection), ...(await taken(document.uri)) };
  const text = document.getText(selection);
  return text.length > LONGEST ? { type: "file", ...part } : { type: "selection", text, ...part };
}

/** Where it lies in its repository; in a sandbox, a review or a workspace that is nowhere on disk, below the top of that. */
async function placeOf(uri: vscode.Uri): Promise<string> {
  const root = await rootOf(uri);
  if (root !== undefined) return slashed(path.relative(root, uri.fsPath));
  if (uri.scheme === SANDBOX) return uri.path.slice(1);
  const address = addressOf(uri);
  if (address?.kind === "diff") return address.path;
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  return folder ? path.posix.relative(folder.uri.path, uri.path) : path.basename(uri.path);
}

/** A file of the repository that an agent begins with, by default the file's own; the agent would not find others. */
export async function fileOf(uri: vscode.Uri, root?: string): Promise<Input> {
  const folder = root ?? (await rootOf(uri));
  const below = folder !== undefined && uri.scheme === "file" ? path.relative(folder, uri.fsPath) : "";
  if (below === "" || below === ".." || below.startsWith(`..${path.sep}`) || path.isAbsolute(below)) {
    const name = plain(path.basename(uri.path));
    throw new Error(folder === undefined ? t("{0} is in no repository of this window", name) : t("{0} is not in {1}", name, folder));
  }
  return { type: "file", path: slashed(below), ...(await taken(uri)) };
}

/** The folder of the repository that a file is in, else that of this window. */
export async function rootOf(uri: vscode.Uri): Promise<string | undefined> {
  if (uri.scheme !== "file") return undefined;
  return (await repositoryOf(uri))?.rootUri.fsPath ?? vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath;
}

/** What attached files held when they were attached, by their path. */
export type Seen = Readonly<Record<string, string>>;

/** For each part why it is not what the agent will find where it begins, at `ref` of the repository at `root`; and what files hold. */
export async function compare(parts: readonly Input[], root: string, ref: string, seen: Seen): Promise<{ stale: Stale[]; seen: Seen }> {
  const folder = vscode.Uri.file(root);
  const base = await commitOf(folder, ref);
  const now: Record<string, string> = {};
  const stale = parts.map(async (part): Promise<Stale> => {
    if (part.type !== "file" && part.type !== "selection") return null;
    const uri = vscode.Uri.joinPath(folder, part.path);
    if (part.type === "file") {
      const holds = await content(uri);
      if ((now[part.path] = seen[part.path] ?? holds) !== holds) return "changed";
    } else {
      const text = await textAt(uri, part.range);
      // What has no commit may never have been a file.
      if (text === undefined ? part.commit !== undefined : text !== part.text) return "changed";
    }
    return part.commit !== undefined && base !== undefined && part.commit !== base ? "elsewhere" : null;
  });
  return { stale: await Promise.all(stale), seen: now };
}

/** What tells one content of a file from another. */
async function content(uri: vscode.Uri): Promise<string> {
  try {
    const { size, mtime } = await vscode.workspace.fs.stat(uri);
    if (size > LARGE) return `${size} ${mtime}`;
    return createHash("sha256").update(await vscode.workspace.fs.readFile(uri)).digest("hex");
  } catch {
    return "gone";
  }
}

/** What stands there now, saved or not; undefined where there is no such text. */
async function textAt(uri: vscode.Uri, { start, end }: Range): Promise<string | undefined> {
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    return document.getText(new vscode.Range(start.line, start.character, end.line, end.character));
  } catch {
    // It is gone, or never was a file.
    return undefined;
  }
}

/** The commit that is checked out where a file lies. */
async function taken(uri: vscode.Uri): Promise<{ commit?: string }> {
  const commit = await commitOf(uri);
  return commit === undefined ? {} : { commit };
}

function slashed(file: string): string {
  return file.split(path.sep).join("/");
}

function rangeOf({ start, end }: vscode.Range) {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
}

/** Offers to give what is selected, or what is complained about, to an agent. */
export class Delegation implements vscode.CodeActionProvider {
  static readonly kinds = [vscode.CodeActionKind.RefactorRewrite, vscode.CodeActionKind.QuickFix];

  provideCodeActions(document: vscode.TextDocument, range: vscode.Range, context: vscode.CodeActionContext): vscode.CodeAction[] {
    const actions: vscode.CodeAction[] = [];
    const title = t("Delegate to an agent");
    if (!range.isEmpty) actions.push(action(title, vscode.CodeActionKind.RefactorRewrite, { uri: document.uri, range }));
    for (const diagnostic of context.diagnostics.slice(0, 1)) {
      const prompt = t("Fix this: {0}", diagnostic.message);
      const fix = action(title, vscode.CodeActionKind.QuickFix, { uri: document.uri, range: diagnostic.range, prompt });
      fix.diagnostics = [diagnostic];
      actions.push(fix);
    }
    return actions;
  }
}

export interface Delegated {
  readonly uri: vscode.Uri;
  readonly range: vscode.Range;
  readonly prompt?: string;
}

function action(title: string, kind: vscode.CodeActionKind, what: Delegated): vscode.CodeAction {
  const made = new vscode.CodeAction(title, kind);
  made.command = { command: "aloft.delegateSelection", title, arguments: [what] };
  return made;
}
