// The bridge, `aloft lsp`: starts it, speaks with it, and starts it again when it dies. All truth is behind it.

import { spawn, type ChildProcess } from "node:child_process";
import { StringDecoder } from "node:string_decoder";

import * as vscode from "vscode";
import {
  createMessageConnection,
  ErrorCodes,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from "vscode-jsonrpc/node";

import { asRequestError, RequestError } from "./errors.js";
import { find, NoProgram, type Program } from "./program.js";
import type { ConnectionState, Notifications, Requests } from "./protocol.js";

const t = vscode.l10n.t;

/** The protocol that this extension speaks. */
export const PROTOCOL = 1;

/** `stopped` lasts until somebody asks for another try; the others pass by themselves. */
export type BridgeKind = "starting" | "stopped" | ConnectionState;

export interface BridgeState {
  readonly kind: BridgeKind;
  /** For people. */
  readonly message?: string;
  /** What to do next. */
  readonly hint?: string;
}

export interface BridgeOptions {
  /** Folder of the extension, where its own program may be. */
  readonly extension: string;
  readonly version: string;
  readonly log: vscode.LogOutputChannel;
  /** The setting `aloft.path`. */
  setting(): string;
  /** `initializationOptions`. */
  settings(): Record<string, unknown>;
  /** Variables besides those of the editor. */
  environment(): Record<string, string>;
  folders(): { uri: string; name: string }[];
}

/** One that died sooner than this after its start died quickly. */
const QUICK_MS = 30_000;
const QUICK_DEATHS = 5;
const BACK_OFF_MS = 250;
/** A bridge that was asked to end is killed after this. */
const END_MS = 2_000;

/** Errors that say no more than that the process is not there any more. */
const CUT: readonly number[] = [ErrorCodes.PendingResponseRejected, ErrorCodes.MessageWriteError, ErrorCodes.ConnectionInactive];

type Handler = (params: never) => void;

interface Running {
  readonly child: ChildProcess;
  readonly connection: MessageConnection;
}

export class Bridge implements vscode.Disposable {
  readonly #options: BridgeOptions;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #stateChanged = new vscode.EventEmitter<BridgeState>();
  readonly #started = new vscode.EventEmitter<void>();
  #state: BridgeState = { kind: "starting" };
  #running: Running | undefined;
  /** One that was started and has not said hello yet. */
  #infant: ChildProcess | undefined;
  #generation = 0;
  #waiting: { go: () => void; stop: (error: RequestError) => void }[] = [];
  #quickDeaths = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** The program in use, once one was found. */
  program: Program | undefined;
  /** What the bridge says of itself. */
  version: string | undefined;

  readonly onDidChangeState = this.#stateChanged.event;
  /** A bridge is there to be asked, the first or another after one that died: subscriptions have to be made again. */
  readonly onDidStart = this.#started.event;

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  get state(): BridgeState {
    return this.#state;
  }

  /** A bridge is there that can be asked. */
  get ready(): boolean {
    return this.#running !== undefined;
  }

  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  start(): void {
    this.#set({ kind: "starting" });
    this.#launch().catch((error: unknown) => {
      if (error instanceof NoProgram) this.#stop(error.message, error.hint);
      else this.#stop(t("The bridge cannot be started: {0}", asRequestError(error).message), t("Look at the log of Aloft"));
    });
  }

  /** Another try, with the settings as they are now. */
  async restart(): Promise<void> {
    this.#quickDeaths = 0;
    const mine = ++this.#generation;
    clearTimeout(this.#timer);
    await this.#end();
    // Of several that were asked for meanwhile, the last one starts it.
    if (mine === this.#generation && !this.#closed) this.start();
  }

  /** Asks the bridge; waits for one that is about to start. */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Requests[M]["result"]> {
    return (await this.ask(method, params, token)) as Requests[M]["result"];
  }

  /** As `request`, for methods that only some bridges have. */
  async ask(method: string, params: unknown, token?: vscode.CancellationToken): Promise<unknown> {
    const { connection } = await this.#current();
    try {
      return await (token ? connection.sendRequest(method, params, token) : connection.sendRequest(method, params));
    } catch (error) {
      throw this.#running?.connection === connection ? asRequestError(error) : gone();
    }
  }

  /** Hears a notification, of this bridge and of those after it. */
  onNotification<M extends keyof Notifications>(method: M, handler: (params: Notifications[M]) => void): vscode.Disposable {
    let handlers = this.#handlers.get(method);
    if (!handlers) this.#handlers.set(method, (handlers = new Set()));
    handlers.add(handler);
    return new vscode.Disposable(() => handlers.delete(handler));
  }

  dispose(): void {
    void this.close();
  }

  /** Ends the bridge. Threads go on without it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#refuse(gone());
    await this.#end();
  }

  async #launch(): Promise<void> {
    const { extension, log } = this.#options;
    const generation = this.#generation;
    const program = await find({ setting: this.#options.setting(), extension, search: process.env["PATH"] ?? "" });
    if (this.#closed || generation !== this.#generation) return;
    this.program = program;
    log.info(`starting ${program.path} (from ${program.from})`);
    const born = Date.now();
    const child = spawn(program.path, ["lsp"], {
      env: { ...process.env, ...this.#options.environment() },
      stdio: "pipe",
      windowsHide: true,
    });
    this.#infant = child;
    const words = this.#listen(child);
    child.stdin.on("error", () => undefined);
    const reader = new StreamMessageReader(child.stdout);
    // Its timer for a frame that is not whole would run on after a bridge that was killed in the middle of one.
    reader.partialMessageTimeout = 0;
    const connection = createMessageConnection(reader, new StreamMessageWriter(child.stdin));
    connection.onError(([error]) => log.error(`bridge: ${error.message}`));
    connection.onUnhandledNotification(({ method, params }) => this.#hear(method, params));
    connection.listen();

    const running: Running = { child, connection };
    let over = false;
    const ended = (why: string) => {
      if (over) return;
      over = true;
      connection.dispose();
      if (this.#running === running) this.#running = undefined;
      log.info(`bridge ${child.pid ?? ""} ended: ${why}`);
      if (!this.#closed && !ending.has(child)) this.#died(Date.now() - born, [why, ...words.slice(-1)].join(": "));
    };
    child.once("error", (error) => {
      if (child.pid !== undefined) return ended(error.message);
      over = true;
      connection.dispose();
      this.#stop(t("The program {0} cannot be started ({1})", program.path, error.message), t("Name another one in the setting aloft.path"));
    });
    child.once("exit", (code, signal) => ended(signal ? `signal ${signal}` : `exit code ${code}`));

    let result: { capabilities?: { experimental?: { aloft?: { protocolVersion?: number; version?: string } } } };
    try {
      result = await connection.sendRequest("initialize", {
        processId: process.pid,
        clientInfo: { name: vscode.env.appName, version: vscode.version },
        rootUri: null,
        workspaceFolders: this.#options.folders(),
        capabilities: { window: { workDoneProgress: true } },
        initializationOptions: this.#options.settings(),
      });
    } catch (error) {
      // Where its process ended, that says more.
      if (over || ending.has(child) || !(error instanceof ResponseError) || CUT.includes(error.code)) return;
      ending.add(child);
      child.kill();
      const refused = asRequestError(error);
      this.#stop(refused.message, refused.hint ?? t("Correct the settings of Aloft"));
      return;
    }
    if (over || ending.has(child)) return;
    const aloft = result.capabilities?.experimental?.aloft;
    if (aloft?.protocolVersion !== PROTOCOL) {
      ending.add(child);
      child.kill();
      this.#stop(...mismatch(program, aloft?.protocolVersion, aloft?.version));
      return;
    }
    this.version = aloft.version;
    await connection.sendNotification("initialized", {});
    this.#running = running;
    this.#infant = undefined;
    this.#set({ kind: "connecting" });
    log.info(`bridge ${child.pid} is ready, version ${aloft.version}`);
    for (const { go } of this.#waiting.splice(0)) go();
    this.#started.fire();
  }

  /** What the bridge prints goes into the log; gives its last lines, as they come. */
  #listen(child: ChildProcess): string[] {
    const decoder = new StringDecoder("utf8");
    const last: string[] = [];
    let rest = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      const lines = (rest + decoder.write(bytes)).split("\n");
      rest = (lines.pop() ?? "").slice(-4096);
      for (const line of lines.filter((line) => line.trim() !== "")) {
        this.#options.log.info(`aloft: ${line}`);
        last.push(line.trim());
        last.splice(0, last.length - 3);
      }
    });
    return last;
  }

  #hear(method: string, params: unknown): void {
    if (method === "connection/didChange") {
      const { state, message } = params as Notifications["connection/didChange"];
      this.#set({ kind: state, ...(message === undefined ? {} : { message }) });
    }
    for (const handler of [...(this.#handlers.get(method) ?? [])]) {
      try {
        handler(params as never);
      } catch (error) {
        this.#options.log.error(`${method}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  }

  async #current(): Promise<Running> {
    while (!this.#running) {
      if (this.#closed || this.#state.kind === "stopped") throw this.#why();
      await new Promise<void>((go, stop) => this.#waiting.push({ go, stop }));
    }
    return this.#running;
  }

  #why(): RequestError {
    const { message = t("Aloft does not run"), hint = t("Restart it") } = this.#state;
    return this.#closed ? gone() : new RequestError(message, -32014, "BRIDGE_STOPPED", hint);
  }

  #died(lived: number, why: string): void {
    this.#quickDeaths = lived < QUICK_MS ? this.#quickDeaths + 1 : 1;
    if (this.#quickDeaths >= QUICK_DEATHS) {
      this.#stop(t("The bridge ended {0} times in a row, last with {1}", QUICK_DEATHS, why), t("Look at the log of Aloft, then restart it"));
      return;
    }
    this.#set({ kind: "starting", message: why });
    this.#timer = setTimeout(() => this.start(), BACK_OFF_MS * 2 ** (this.#quickDeaths - 1));
  }

  #stop(message: string, hint: string): void {
    this.#options.log.error(`${message}. ${hint}.`);
    this.#set({ kind: "stopped", message, hint });
    this.#refuse(this.#why());
  }

  #refuse(error: RequestError): void {
    for (const { stop } of this.#waiting.splice(0)) stop(error);
  }

  #set(state: BridgeState): void {
    if (state.kind === "connected") this.#options.log.info("the cloud is reached");
    this.#state = state;
    if (!this.#closed) this.#stateChanged.fire(state);
  }

  async #end(): Promise<void> {
    if (this.#infant) {
      ending.add(this.#infant);
      this.#infant.kill("SIGKILL");
      this.#infant = undefined;
    }
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    const { child, connection } = running;
    ending.add(child);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
    connection
      .sendRequest("shutdown")
      .then(() => connection.sendNotification("exit"))
      .catch(() => undefined);
    if (child.exitCode === null && child.signalCode === null) await ended;
    clearTimeout(timer);
  }
}

/** Children whose end is wanted. */
const ending = new WeakSet<ChildProcess>();

function gone(): RequestError {
  return new RequestError(t("The bridge ended before it answered"), -32014, "BRIDGE_GONE", t("Try again"), true);
}

function mismatch(program: Program, found: number | undefined, version = t("of unknown version")): [string, string] {
  return found === undefined || found < PROTOCOL
    ? [t("The program {0} ({1}) is too old for this extension", program.path, version), t("Update aloft, or clear the setting aloft.path")]
    : [t("The program {0} ({1}) is too new for this extension", program.path, version), t("Update the extension")];
}
