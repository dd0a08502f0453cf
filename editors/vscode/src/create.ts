// The form for a new agent: what it is filled with, what is chosen for it with the editor's own means, and the request at its end.

import * as vscode from "vscode";

import { short, type CreateAsks, type CreateTold, type Facts, type Form, type Source } from "../webview/create_messages.js";
import { compare, Delegation, fileOf, rootOf, selectionOf, type Delegated, type Seen } from "./attach.js";
import { inputs, oneOf, string } from "./check.js";
import { settings } from "./config.js";
import type { Ctx } from "./ctx.js";
import { connectForge } from "./forges.js";
import { folders, uncommitted, watch } from "./git.js";
import { History } from "./history.js";
import type { Input, Mode, ThreadCreateParams } from "./protocol.js";
import { pickRef } from "./ref.js";
import { pickSource } from "./source.js";
import { plain } from "./text.js";
import { page, roots } from "./webview.js";
import { serve, tell } from "./webview_host.js";

const t = vscode.l10n.t;
const DRAFT = "aloft.create.draft";
const SEEN = "aloft.create.seen";
const RECENT = "aloft.create.recent";
const RECENTS = 10;
/** Facts are told anew when nothing has changed for this long. */
const SETTLE_MS = 300;

/** What a form is opened with. */
export interface Opening {
  readonly prompt?: string;
  readonly attach?: readonly Input[];
  readonly source?: Source;
}

export class CreateForm implements vscode.Disposable {
  readonly #ctx: Ctx;
  readonly #history: History;
  readonly #disposables: vscode.Disposable[];
  #panel: vscode.WebviewPanel | undefined;

  constructor(ctx: Ctx) {
    this.#ctx = ctx;
    this.#history = new History(ctx.extension.globalState);
    const register = (name: string, run: (given: never) => unknown) =>
      vscode.commands.registerCommand(`aloft.${name}`, async (given: unknown) => {
        try {
          return await run(given as never);
        } catch (error) {
          ctx.fail(t("Create an agent"), error);
        }
      });
    this.#disposables = [
      register("create", (opening: Opening | undefined) => this.open(opening)),
      register("delegateSelection", (what: Delegated | undefined) => this.#delegate(what)),
      register("delegateFile", (uri: vscode.Uri | undefined) => this.#delegateFile(uri)),
      vscode.languages.registerCodeActionsProvider([{ scheme: "file" }, { scheme: "untitled" }], new Delegation(), {
        providedCodeActionKinds: Delegation.kinds,
      }),
      vscode.window.registerWebviewPanelSerializer("aloft.create", {
        deserializeWebviewPanel: async (panel: vscode.WebviewPanel) => this.#show(panel),
      }),
    ];
  }

  /** Shows the form; false where it was to begin with something and nobody went on. */
  async open({ prompt, attach, source }: Opening = {}): Promise<boolean> {
    if (prompt !== undefined || attach || source) {
      const form = await this.#form();
      if (source && !(await this.#leaves(form, source))) return false;
      // What stands there already is somebody's.
      if (prompt !== undefined) form.prompt = [form.prompt.trimEnd(), prompt].filter((text) => text.trim() !== "").join("\n\n");
      if (attach) form.attached = [...form.attached, ...attach];
      if (source && !same(source, form.source)) [form.source, form.ref] = [source, ""];
      await this.#keep(form);
      if (this.#panel) tell<CreateTold, "form">(this.#panel.webview, "form", form);
    }
    if (this.#panel) this.#panel.reveal();
    else this.#show(vscode.window.createWebviewPanel("aloft.create", t("Create Agent"), vscode.ViewColumn.Active));
    return true;
  }

  /** Whether the form may be about another repository: what stands in it may be meant for the one it is about. */
  async #leaves({ prompt, attached, source, issue = "" }: Form, other: Source): Promise<boolean> {
    const empty = prompt.trim() === "" && attached.length === 0 && issue.trim() === "";
    if (empty || same(source, other) || same(source, {})) return true;
    const go = t("Begin in {0}", short(other));
    const detail = t("The task that was not sent yet is for {0}. It is kept, and goes along.", short(source));
    return (await vscode.window.showWarningMessage(t("This is of another repository"), { modal: true, detail }, go)) === go;
  }

  dispose(): void {
    this.#panel?.dispose();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #show(panel: vscode.WebviewPanel): void {
    const { extension, log } = this.#ctx;
    this.#panel = panel;
    panel.iconPath = vscode.Uri.joinPath(extension.extensionUri, "media", "icon.svg");
    panel.webview.options = { enableScripts: true, localResourceRoots: roots(extension) };
    const served = serve<CreateAsks>(panel.webview, {
      ready: async () => {
        const form = await this.#form();
        return { form, facts: await this.#facts(form), history: this.#history.all() };
      },
      changed: async ({ form, attached = this.#kept?.attached ?? [] }) => (await this.#keep(checked({ ...form, attached })), null),
      facts: async () => this.#facts(await this.#form()),
      pickSource: () => pickSource(this.#ctx, this.#recent()),
      pickRef: ({ source }) => pickRef(this.#ctx, sourceOf(source)),
      pickFiles: ({ source }) => this.#pickFiles(sourceOf(source)),
      create: async ({ form }) => (await this.#create(checked(form)), null),
      keys: async () => (await vscode.commands.executeCommand("aloft.keys"), null),
      connect: async ({ source, issue }) => (await connectForge(this.#ctx, ...whereOf(sourceOf(source), issue))) !== undefined,
    }, log);
    // What is attached may become stale while it is looked at.
    let timer: NodeJS.Timeout | undefined;
    const changed = (): void => {
      if (!panel.visible || (this.#kept?.attached.length ?? 0) === 0) return;
      clearTimeout(timer);
      timer = setTimeout(() => tell<CreateTold, "changed">(panel.webview, "changed", null), SETTLE_MS);
    };
    const [repositories, texts] = [watch(changed), vscode.workspace.onDidChangeTextDocument(changed)];
    panel.onDidDispose(() => {
      clearTimeout(timer);
      void repositories.then((watched) => void watched.dispose());
      texts.dispose();
      served.dispose();
      if (this.#panel === panel) this.#panel = undefined;
    });
    panel.webview.html = page(panel.webview, extension, "create", t("Create Agent"));
  }

  /** What was entered and not sent. */
  get #kept(): Form | undefined {
    return this.#ctx.extension.workspaceState.get<Form>(DRAFT);
  }

  /** The same, else what the settings say. */
  async #form(): Promise<Form> {
    const kept = this.#kept;
    if (kept) return kept;
    const { agent, model, mode } = settings();
    const [folder] = await folders();
    return {
      prompt: "", attached: [], source: folder === undefined ? {} : { path: folder }, ref: "", branch: "",
      agent, model, mode: mode === "auto" ? "auto" : "manual", dirty: "ignore",
    };
  }

  async #keep(form: Form | undefined): Promise<void> {
    await this.#ctx.extension.workspaceState.update(DRAFT, form);
  }

  async #facts({ attached, source, ref }: Form): Promise<Facts> {
    const root = source.path;
    const { workspaceState } = this.#ctx.extension;
    const [agents, changes, { stale, seen }] = await Promise.all([
      this.#ctx.bridge.request("agent/list", {}).catch((error: Error) => error.message),
      root === undefined ? Promise.resolve(0) : uncommitted(root),
      root === undefined ? { stale: [], seen: {} } : compare(attached, root, ref, workspaceState.get<Seen>(SEEN, {})),
    ]);
    await workspaceState.update(SEEN, Object.keys(seen).length > 0 ? seen : undefined);
    if (typeof agents === "string") return { agents: [], uncommitted: changes, stale, problem: t("The agents are not known: {0}", agents) };
    return { agents, uncommitted: changes, stale };
  }

  async #create(form: Form): Promise<void> {
    const { prompt, attached, source, ref, branch, issue = "", agent, model, mode, dirty, requestId } = form;
    const input: Input[] = [...(prompt.trim() === "" ? [] : [{ type: "text" as const, text: prompt }]), ...attached];
    const given = Object.fromEntries(
      Object.entries({ ref, branch: branch.trim(), issue: issue.trim(), agent, model: model.trim() }).filter(([, value]) => value !== ""),
    );
    const params: ThreadCreateParams = { ...source, ...given, mode, input, ...(requestId ? { requestId } : {}) };
    if (source.path !== undefined) params.dirty = dirty;
    const { thread, leftBehind = [] } = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: t("Creating an agent") },
      () => this.#ctx.bridge.request("thread/create", params),
    );
    this.#ctx.log.info(`created ${thread.slug}`);
    await this.#history.add(input);
    await this.#remember(source);
    await this.#keep(undefined);
    this.#ctx.threads.learn(thread);
    this.#panel?.dispose();
    this.#ctx.openThread(thread.id);
    if (leftBehind.length === 0) return;
    const names = plain(leftBehind.join(", "), 300);
    void vscode.window.showWarningMessage(t("Not taken along: what is not committed in {0}. A repository inside another keeps its own changes.", names));
  }

  #recent(): Source[] {
    return this.#ctx.extension.globalState.get<Source[]>(RECENT, []);
  }

  async #remember(source: Source): Promise<void> {
    const recent = this.#recent().filter((other) => !same(other, source));
    await this.#ctx.extension.globalState.update(RECENT, [source, ...recent].slice(0, RECENTS));
  }

  async #pickFiles(source: Source): Promise<Input[]> {
    const at = source.path === undefined ? {} : { defaultUri: vscode.Uri.file(source.path) };
    const files = (await vscode.window.showOpenDialog({ ...at, canSelectMany: true, openLabel: t("Attach") })) ?? [];
    return Promise.all(files.map((file) => fileOf(file, source.path)));
  }

  async #delegate(what: Delegated | undefined): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const uri = what?.uri ?? editor?.document.uri;
    const range = what?.range ?? editor?.selection;
    if (!uri || !range) return;
    const document = await vscode.workspace.openTextDocument(uri);
    const root = await rootOf(uri);
    await this.open({
      attach: [await selectionOf(document, range)],
      ...(what?.prompt === undefined ? {} : { prompt: what.prompt }),
      ...(root === undefined ? {} : { source: { path: root } }),
    });
  }

  async #delegateFile(given: vscode.Uri | undefined): Promise<void> {
    const uri = given ?? vscode.window.activeTextEditor?.document.uri;
    if (!uri) return;
    const root = await rootOf(uri);
    await this.open({ attach: [await fileOf(uri, root)], ...(root === undefined ? {} : { source: { path: root } }) });
  }
}

function same(one: Source, other: Source): boolean {
  return one.path === other.path && one.repository === other.repository;
}

/** What a page says was entered. */
function checked(form: unknown): Form {
  const given = (typeof form === "object" && form !== null ? form : {}) as Record<string, unknown>;
  const text = (name: string) => string(given[name], name);
  return {
    prompt: text("prompt"), attached: inputs(given["attached"]), source: sourceOf(given["source"]), ref: text("ref"), branch: text("branch"),
    agent: text("agent"), model: text("model"),
    mode: oneOf<Mode>(given["mode"], ["manual", "auto"], "mode"),
    dirty: oneOf(given["dirty"], ["carry", "ignore", "refuse"] as const, "dirty"),
    ...(given["issue"] === undefined ? {} : { issue: text("issue") }),
    ...(given["requestId"] === undefined ? {} : { requestId: text("requestId") }),
  };
}

/** Where an account may be missing, and whether it is that of an issue: at its address, somewhere if it has a tracker's key, else at the repository. */
function whereOf({ repository }: Source, issue: unknown): [string | undefined, boolean] {
  const about = typeof issue === "string" ? issue.trim() : "";
  if (about.includes("://")) return [about, true];
  return /^[A-Za-z]\w*-\d+$/.test(about) ? [undefined, true] : [repository, false];
}

function sourceOf(given: unknown): Source {
  const { path, repository } = (typeof given === "object" && given !== null ? given : {}) as Record<string, unknown>;
  if (path !== undefined) return { path: string(path, "path") };
  return repository === undefined ? {} : { repository: string(repository, "repository") };
}
