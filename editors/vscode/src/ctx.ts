// What every part of the extension is given: the bridge, what is known of threads, and the ways to show things.

import type * as vscode from "vscode";

import type { Bridge } from "./bridge.js";
import type { Against } from "./protocol.js";
import type { Screens } from "./screens.js";
import type { Threads } from "./threads.js";

export interface Ctx {
  readonly extension: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly bridge: Bridge;
  readonly threads: Threads;
  readonly screens: Screens;
  /** Shows the conversation of a thread. */
  openThread(threadId: string, options?: OpenOptions): void;
  openDashboard(): void;
  /** Shows what a thread changed. */
  review(threadId: string, against?: Against): Promise<void>;
  /** The thread of the panel that a person is in. */
  activeThread(): string | undefined;
  /** Tells a person that something did not work: what was tried, why not, what to do next. */
  fail(what: string, error: unknown, mend?: Mend): void;
}

/** What goes on once a person has done away with the reason. */
export interface Mend {
  /** Where the repository or the issue lies that an account may be missing for. */
  readonly place?: string | undefined;
  /** It is an issue. */
  readonly issue?: boolean;
  /** Tries it again. */
  readonly again: () => unknown;
}

export interface OpenOptions {
  readonly beside?: boolean;
  readonly preserveFocus?: boolean;
}
