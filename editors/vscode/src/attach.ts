// Parts of the code that go along with a message: selections and files, with the commit they were seen at.

import path from "node:path";

import * as vscode from "vscode";

import { repositoryOf } from "./git.js";
import type { Input } from "./protocol.js";
import { plain } from "./text.js";

const t = vscode.l10n.t;
/** Longer selections are the file's to tell. */
const LONGEST = 100_000;

/** What is selected, also in a document that was never saved. */
export async function selectionOf(document: vscode.TextDocument, selection: vscode.Range): Promise<Input> {
  const where = await place(document.uri);
  const range = rangeOf(selection);
  const text = document.getText(selection);
  if (text.length > LONGEST) return { type: "file", path: where.path, range };
  return { type: "selection", path: where.path, range, text, ...(where.commit ? { commit: where.commit } : {}) };
}

/** A file of the repository that an agent begins with, by default the file's own; the agent would not find others. */
export async function fileOf(uri: vscode.Uri, root?: string): Promise<Input> {
  const folder = root ?? (await rootOf(uri));
  const below = folder !== undefined && uri.scheme === "file" ? path.relative(folder, uri.fsPath) : "";
  if (below === "" || below === ".." || below.startsWith(`..${path.sep}`) || path.isAbsolute(below)) {
    const name = plain(path.basename(uri.path));
    throw new Error(folder === undefined ? t("{0} is in no repository of this window", name) : t("{0} is not in {1}", name, folder));
  }
  return { type: "file", path: slashed(below) };
}

/** The folder of the repository that a file is in, else that of this window. */
export async function rootOf(uri: vscode.Uri): Promise<string | undefined> {
  if (uri.scheme !== "file") return undefined;
  return (await repositoryOf(uri))?.rootUri.fsPath ?? vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath;
}

/** Whether what was attached is not any more what is there: the text has changed, or the commit. */
export async function isStale(part: Input, root: string): Promise<boolean> {
  if (part.type !== "selection") return false;
  const uri = vscode.Uri.file(path.join(root, part.path));
  const head = (await repositoryOf(uri))?.state.HEAD?.commit;
  if (part.commit && head && part.commit !== head) return true;
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    const { start, end } = part.range;
    return document.getText(new vscode.Range(start.line, start.character, end.line, end.character)) !== part.text;
  } catch {
    // It is gone, or never was a file.
    return part.commit !== undefined;
  }
}

/** The path in its repository, and the commit there. */
async function place(uri: vscode.Uri): Promise<{ path: string; commit?: string }> {
  const root = await rootOf(uri);
  const commit = (await repositoryOf(uri))?.state.HEAD?.commit;
  return { path: root === undefined ? path.basename(uri.path) : slashed(path.relative(root, uri.fsPath)), ...(commit ? { commit } : {}) };
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
