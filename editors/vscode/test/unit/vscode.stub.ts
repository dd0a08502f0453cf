// As much of `vscode` as modules touch that need no editor. Whatever needs more is tested inside VS Code.

import { rename, rm } from "node:fs/promises";
import path from "node:path";

export class Disposable {
  constructor(readonly dispose: () => void) {}
}

export class EventEmitter<T> {
  readonly #listeners = new Set<(event: T) => void>();
  readonly event = (listener: (event: T) => void): Disposable => {
    this.#listeners.add(listener);
    return new Disposable(() => this.#listeners.delete(listener));
  };
  fire(event: T): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
  dispose(): void {
    this.#listeners.clear();
  }
}

export class CancellationTokenSource {
  readonly token = {};
  cancel(): void {
    // Nobody here listens.
  }
}

/** A file of this machine, or of a scheme that is named. */
export class Uri {
  private constructor(readonly path: string, readonly scheme = "file", readonly authority = "", readonly query = "") {}
  static file = (file: string): Uri => new Uri(file);
  static parse = (address: string): Uri => new Uri(address);
  static from = (parts: { scheme: string; authority?: string; path: string; query?: string }): Uri => new Uri(parts.path, parts.scheme, parts.authority, parts.query);
  static joinPath = (base: Uri, ...parts: string[]): Uri => new Uri(path.join(base.path, ...parts), base.scheme, base.authority, base.query);
  get fsPath(): string {
    return this.path;
  }
  with(different: { path: string }): Uri {
    return new Uri(different.path, this.scheme, this.authority, this.query);
  }
}

export const env = { appName: "Test", language: "en", uriScheme: "vscode" };
export const version = "1.100.0";
/** What a test shows and answers in the place of a person, it puts in here. */
export const window: Record<string, unknown> = {
  state: { focused: true },
  onDidChangeWindowState: new EventEmitter<unknown>().event,
  withProgress: (_: unknown, work: () => unknown) => work(),
  showInformationMessage: async () => undefined,
  showWarningMessage: async () => undefined,
  showErrorMessage: async () => undefined,
};
export const workspace = {
  workspaceFolders: undefined as unknown[] | undefined,
  getWorkspaceFolder: (): { uri: Uri } | undefined => undefined,
  getConfiguration: (): { get: (name: string, other: unknown) => unknown } => ({ get: (_, other) => other }),
  registerTextDocumentContentProvider: () => new Disposable(() => undefined),
  fs: { delete: (uri: Uri) => rm(uri.path), rename: (from: Uri, to: Uri) => rename(from.path, to.path) },
};
/** A test that cares for what is called puts its own in here. */
export const commands: { executeCommand: (...words: unknown[]) => Promise<unknown> } = { executeCommand: async () => undefined };
export const extensions: { getExtension: () => undefined; all: unknown[] } = { getExtension: () => undefined, all: [] };
export const CodeActionKind = { RefactorRewrite: "refactor.rewrite", QuickFix: "quickfix" };
export const StatusBarAlignment = { Left: 1 };
export const ProgressLocation = { Notification: 15, Window: 10 };
export const l10n = {
  t: (text: string, ...values: unknown[]) => text.replace(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)])),
};

/** What an editor keeps for an extension. */
export function memento() {
  const kept = new Map<string, unknown>();
  return {
    get: <T>(key: string, other?: T) => (kept.has(key) ? structuredClone(kept.get(key)) : other) as T,
    update: async (key: string, value: unknown) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, structuredClone(value));
    },
    keys: () => [...kept.keys()],
  };
}
