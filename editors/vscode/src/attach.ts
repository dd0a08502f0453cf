// Parts of the code that go along with a message: selections and files, with the commit they were seen at.

import path from "node:path";

import * as vscode from "vscode";

import { repositoryOf } from "./git.js";
import type { Input } from "./protocol.js";

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

export async function fileOf(uri: vscode.Uri): Promise<Input> {
  return { type: "file", path: (await place(uri)).path };
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
  const repository = await repositoryOf(uri);
  const folder = repository?.rootUri ?? vscode.workspace.getWorkspaceFolder(uri)?.uri;
  const below = folder && uri.scheme === "file" ? path.relative(folder.fsPath, uri.fsPath) : path.basename(uri.path);
  const commit = repository?.state.HEAD?.commit;
  return { path: below.split(path.sep).join("/"), ...(commit ? { commit } : {}) };
}

function rangeOf({ start, end }: vscode.Range) {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
}

/** Offers to give what is selected, or what is complained about, to an agent. */
export class Delegation implements vscode.CodeActionProvider {
  static readonly kinds = [vscode.CodeActionKind.RefactorRewrite, vscode.CodeActionKind.QuickFix];

  provideCodeActions(document: vscode.TextDocument, range: vscode.Range, context: vscode.CodeActionContext): vscode.CodeAction[] {
    const actions: vscode.CodeAction[] = [];
    const title = vscode.l10n.t("Delegate to an agent");
    if (!range.isEmpty) actions.push(action(title, vscode.CodeActionKind.RefactorRewrite, { uri: document.uri, range }));
    for (const diagnostic of context.diagnostics.slice(0, 1)) {
      const prompt = vscode.l10n.t("Fix this: {0}", diagnostic.message);
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
