// The files of sandboxes as documents of any window: read, changed and saved where the agent works, without a window of their own.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { quote, runInSandbox } from "./sandbox_shell.js";
import { clean } from "./text.js";

const t = vscode.l10n.t;

export const SANDBOX = "aloft-sandbox";
const WORKSPACE = "/workspace";
/** How a line tells that there is no such file, and that not all of a new text arrived. */
const [ABSENT, CUT] = [44, 45];

/** The address of a file; its path is the one in the workspace. */
export function sandboxUri(threadId: string, path: string): vscode.Uri {
  return vscode.Uri.joinPath(vscode.Uri.from({ scheme: SANDBOX, authority: threadId, path: "/" }), path);
}

export class SandboxFiles implements vscode.FileSystemProvider, vscode.Disposable {
  readonly #ctx: Ctx;
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly #disposables: vscode.Disposable[];
  /** Files that may have changed while a person's own changes were on their way. */
  readonly #missed = new Set<string>();
  /** By how many milliseconds a file is told to be newer than it is, so that it is read anew. */
  readonly #newer = new Map<string, number>();
  readonly onDidChangeFile = this.#changed.event;

  constructor(ctx: Ctx) {
    this.#ctx = ctx;
    this.#disposables = [
      this.#changed,
      vscode.workspace.registerFileSystemProvider(SANDBOX, this, { isCaseSensitive: true }),
      vscode.workspace.onDidSaveTextDocument(({ uri }) => this.#saved(uri)),
      // A turn that ended, or a rewind, may have changed what is open. Never of a paused thread: reading would resume it.
      ctx.threads.onDidChange(({ id, thread, before }) => {
        if (thread?.state === "idle" && JSON.stringify([before?.lastTurn, before?.diff]) !== JSON.stringify([thread.lastTurn, thread.diff])) this.refresh(id);
      }),
    ];
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const [type = "", size, time] = (await this.#run(uri, (file) => `stat -L -c '%F|%s|%.3Y' -- ${file}`)).toString("utf8").trim().split("|");
    const kind = type === "directory" ? vscode.FileType.Directory : type.startsWith("regular") ? vscode.FileType.File : vscode.FileType.Unknown;
    return { type: kind, size: Number(size), mtime: Math.round(Number(time) * 1000) + (this.#newer.get(uri.toString()) ?? 0), ctime: 0 };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return this.#run(uri, (file) => `cat -- ${file}`);
  }

  async readDirectory(uri: vscode.Uri): Promise<[string, vscode.FileType][]> {
    const found = await this.#run(uri, (file) => `find ${file} -mindepth 1 -maxdepth 1 -printf '%Y%f\\0'`);
    const kinds: Record<string, vscode.FileType> = { d: vscode.FileType.Directory, f: vscode.FileType.File };
    const names = found.toString("utf8").split("\0").filter((name) => name !== "");
    return names.map((name) => [name.slice(1), kinds[name.slice(0, 1)] ?? vscode.FileType.Unknown]);
  }

  /** What is there stays as it is until all of the new text has arrived; links and modes stay too. */
  async writeFile(uri: vscode.Uri, content: Uint8Array): Promise<void> {
    const all = `[ "$(stat -c %s -- "$t")" = ${content.length} ] || { rm -f -- "$t"; exit ${CUT}; }`;
    await this.#run(uri, (file) => `t=$(mktemp) && cat > "$t" && ${all} && cat -- "$t" > ${file} && rm -f -- "$t"`, content);
  }

  // Nothing of a sandbox is watched: what changes in it is told when a turn ends.
  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  createDirectory(uri: vscode.Uri): never {
    throw refused(uri);
  }

  delete(uri: vscode.Uri): never {
    throw refused(uri);
  }

  rename(uri: vscode.Uri): never {
    throw refused(uri);
  }

  /** What is open of a sandbox is read anew. */
  refresh(threadId: string): void {
    const open = vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === SANDBOX && uri.authority === threadId);
    // What has changes of a person is never read over them.
    for (const { uri } of open.filter(({ isDirty }) => isDirty)) this.#missed.add(uri.toString());
    const clean = open.filter(({ isDirty }) => !isDirty).map(({ uri }) => ({ uri, type: vscode.FileChangeType.Changed }));
    if (clean.length > 0) this.#changed.fire(clean);
  }

  /** What was changed between the writing and its end looks to the editor as what it wrote. */
  #saved(uri: vscode.Uri): void {
    const key = uri.toString();
    if (!this.#missed.delete(key)) return;
    this.#newer.set(key, (this.#newer.get(key) ?? 0) + 1);
    this.#changed.fire([{ uri, type: vscode.FileChangeType.Changed }]);
  }

  async #run(uri: vscode.Uri, line: (file: string) => string, input?: Uint8Array): Promise<Buffer> {
    const file = quote(WORKSPACE + uri.path);
    const there = input === undefined ? `[ -e ${file} ] || exit ${ABSENT}; ` : "";
    const { code, stdout, words } = await runInSandbox(this.#ctx, uri.authority, there + line(file), input);
    if (code === 0) return stdout;
    if (code === ABSENT) throw vscode.FileSystemError.FileNotFound(uri);
    const why = code === CUT ? t("not all of it arrived, so nothing was changed") : clean(words, 300) || t("The sandbox answered with exit code {0}", String(code));
    throw vscode.FileSystemError.Unavailable(t("{0} in the sandbox: {1}", uri.path, why));
  }
}

function refused(uri: vscode.Uri): Error {
  return vscode.FileSystemError.NoPermissions(t("{0}: only the text of files is changed from here; open the sandbox with “SSH to Agent” for everything else", uri.path));
}
