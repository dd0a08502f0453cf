// Documents that come from the bridge: a file before and after a change, the output of a command, what a tool was called with.
// An address says all that is needed to read it again, so that editors survive a reload.

import * as vscode from "vscode";

import { plain as noEscapes } from "../webview/escapes.js";
import type { Bridge } from "./bridge.js";
import { asRequestError } from "./errors.js";
import { parse, sides } from "./patch.js";
import type { Against, FileDiff } from "./protocol.js";

export const SCHEME = "aloft-document";

/** Larger outputs are cut at their beginning. */
const OUTPUT = 2 * 1024 * 1024;
const PAGE = 1024 * 1024;
/** Files read at once. */
const PARALLEL = 6;
/** Diffs that are kept. */
const KEPT = 400;

export type Side = "before" | "after";

/** What a document shows. */
export type Address =
  | { kind: "diff"; threadId: string; against: Against; path: string; side: Side }
  | { kind: "item"; threadId: string; itemId: string; index: number; side: Side }
  | { kind: "output"; threadId: string; itemId: string }
  | { kind: "detail"; threadId: string; itemId: string; part: "arguments" | "result" };

export function uriOf(name: string, address: Address): vscode.Uri {
  // The name is what people see, and its ending chooses the language.
  const path = `/${name.replace(/^\/+/, "")}`;
  return vscode.Uri.from({ scheme: SCHEME, path, query: JSON.stringify(address) });
}

export function addressOf(uri: vscode.Uri): Address | undefined {
  if (uri.scheme !== SCHEME) return undefined;
  try {
    return JSON.parse(uri.query) as Address;
  } catch {
    return undefined;
  }
}

export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #bridge: Bridge;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #diffs = new Map<string, Promise<FileDiff>>();
  readonly #disposables: vscode.Disposable[];
  /** Files of the newest review whose patch is all of their text. */
  #known: { of: string; files: Map<string, FileDiff> } | undefined;
  #busy = 0;
  #waiting: (() => void)[] = [];

  readonly onDidChange = this.#changed.event;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
    this.#disposables = [vscode.workspace.registerTextDocumentContentProvider(SCHEME, this)];
  }

  /** What a thread changed is different now: what is open is read anew. Turns stay as they were. */
  refresh(threadId: string): void {
    for (const key of this.#diffs.keys()) {
      const { thread, against } = JSON.parse(key) as { thread: string; against: Against };
      if (thread === threadId && typeof against === "string") this.#diffs.delete(key);
    }
    for (const { uri } of vscode.workspace.textDocuments) {
      const address = addressOf(uri);
      if (address?.kind === "diff" && address.threadId === threadId && typeof address.against === "string") this.#changed.fire(uri);
    }
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const address = addressOf(uri);
    if (address === undefined) return vscode.l10n.t("Nothing is known of this document.");
    try {
      return await this.#text(address);
    } catch (error) {
      // The others still show: what failed says so itself.
      const { message, hint } = asRequestError(error);
      return [vscode.l10n.t("This could not be read: {0}", message), hint, vscode.l10n.t("Run “Aloft: Refresh Review” to try again.")].filter(Boolean).join("\n");
    }
  }

  /** What was read for a review: new files and those that are gone need not be read one by one, which takes long where they are thousands. */
  know(threadId: string, against: Against, files: readonly FileDiff[]): void {
    const whole = files.filter(({ status, binary, patch }) => (status === "added" || status === "deleted") && !binary && patch !== undefined);
    this.#known = { of: JSON.stringify({ threadId, against }), files: new Map(whole.map((file) => [file.path, file])) };
  }

  /** One file of a diff with its texts. */
  async diff(threadId: string, against: Against, path: string): Promise<FileDiff> {
    const whole = this.#known?.of === JSON.stringify({ threadId, against }) ? this.#known.files.get(path) : undefined;
    if (whole?.patch === undefined) return this.#read(threadId, against, path);
    const { before, after } = sides(parse(whole.patch));
    return { ...whole, ...(whole.status === "added" ? { newText: after } : { oldText: before }) };
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #read(threadId: string, against: Against, path: string): Promise<FileDiff> {
    const key = JSON.stringify({ thread: threadId, against, path });
    const known = this.#diffs.get(key);
    if (known) return known;
    const read = this.#turn(() => this.#bridge.request("thread/fileDiff", { threadId, against, path }));
    this.#diffs.set(key, read);
    if (this.#diffs.size > KEPT) this.#diffs.delete(this.#diffs.keys().next().value ?? "");
    read.catch(() => this.#diffs.delete(key));
    return read;
  }

  async #text(address: Address): Promise<string> {
    switch (address.kind) {
      case "diff": {
        const file = await this.diff(address.threadId, address.against, address.path);
        return sideOf(file, address.side);
      }
      case "item": {
        const { item } = await this.#bridge.request("item/read", { threadId: address.threadId, itemId: address.itemId });
        const file = item.type === "fileChange" ? item.changes[address.index] : undefined;
        if (file === undefined) return "";
        if (file.oldText !== undefined || file.newText !== undefined) return sideOf(file, address.side);
        if (file.patch === undefined) return vscode.l10n.t("The agent told only that it changed this file. Review the turn to see how.");
        return sides(parse(file.patch))[address.side];
      }
      case "output":
        return this.#output(address.threadId, address.itemId);
      case "detail": {
        const { item } = await this.#bridge.request("item/read", { threadId: address.threadId, itemId: address.itemId });
        const value = item.type === "toolCall" ? item[address.part] : undefined;
        return typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
      }
    }
  }

  async #output(threadId: string, itemId: string): Promise<string> {
    const { totalBytes } = await this.#bridge.request("item/output", { threadId, itemId, offset: 0, limit: 1 });
    const from = Math.max(0, totalBytes - OUTPUT);
    const decoder = new TextDecoder();
    let text = from > 0 ? `${vscode.l10n.t("({0} bytes before this are left out: `aloft show {1} --item {2}` prints all)", from, threadId, itemId)}\n` : "";
    for (let offset = from; offset < totalBytes; ) {
      const page = await this.#bridge.request("item/output", { threadId, itemId, offset, limit: PAGE });
      if (page.nextOffset <= offset) break;
      text += decoder.decode(Buffer.from(page.data, "base64"), { stream: true });
      offset = page.nextOffset;
    }
    return noEscapes(text + decoder.decode());
  }

  /** Asks for few things at once, so that a large review leaves room for what a person does meanwhile. */
  async #turn<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#busy >= PARALLEL) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#busy++;
    try {
      return await ask();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy--;
    }
  }
}

/** What a document shows of one side of a file. */
export function sideOf(file: FileDiff, side: Side): string {
  const mode = side === "before" ? file.oldMode : file.newMode;
  if (mode === undefined && (side === "before" ? file.status === "added" : file.status === "deleted")) return "";
  if (file.binary) return `${vscode.l10n.t("(binary file)")}\n`;
  const text = side === "before" ? file.oldText : file.newText;
  if (text !== undefined) return text;
  // Too large to be sent whole: the changed places.
  if (file.patch !== undefined) return sides(parse(file.patch))[side];
  return `${vscode.l10n.t("(too large to be shown)")}\n`;
}
