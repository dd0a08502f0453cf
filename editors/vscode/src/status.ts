// One item in the status bar: how many agents need you or run, or that Aloft cannot be reached; and the same for the views' `when`.

import * as vscode from "vscode";

import type { Bridge } from "./bridge.js";
import { groupOf } from "./groups.js";
import { plain } from "./text.js";
import type { Threads } from "./threads.js";

const t = vscode.l10n.t;

export class Status implements vscode.Disposable {
  readonly #bridge: Bridge;
  readonly #threads: Threads;
  readonly #item = vscode.window.createStatusBarItem("aloft.status", vscode.StatusBarAlignment.Left, 10);
  readonly #disposables: vscode.Disposable[];

  constructor(bridge: Bridge, threads: Threads) {
    this.#bridge = bridge;
    this.#threads = threads;
    this.#item.name = "Aloft";
    const draw = () => this.#draw();
    this.#disposables = [this.#item, bridge.onDidChangeState(draw), threads.onDidChange(draw), threads.onDidLoad(draw)];
    draw();
    this.#item.show();
  }

  /** What it says, for the tests. */
  get text(): string {
    return this.#item.text;
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #draw(): void {
    const { kind, message } = this.#bridge.state;
    // A list that could be read says more than a connection that nobody has needed yet.
    const state = kind === "connecting" && this.#threads.loaded ? "connected" : kind;
    void vscode.commands.executeCommand("setContext", "aloft.state", state);
    void vscode.commands.executeCommand("setContext", "aloft.loaded", this.#threads.loaded);
    this.#item.command = state === "stopped" ? "aloft.showLog" : "aloft.showThreads";
    this.#item.backgroundColor = undefined;
    switch (state) {
      case "connected":
        return this.#count();
      case "starting":
      case "connecting":
        return this.#say("$(sync~spin) Aloft", state === "starting" ? t("The bridge starts") : t("The cloud is being reached"), message);
      case "offline":
        return this.#say("$(cloud) Aloft $(debug-disconnect)", t("The cloud cannot be reached; what is shown was last seen"), message);
      case "unauthenticated":
        return this.#say("$(lock) Aloft", t("Not signed in to the cloud"), message);
      default:
        return this.#say("$(error) Aloft", t("The bridge does not run"), message);
    }
  }

  #count(): void {
    const count = (group: string) => this.#threads.all().filter((thread) => groupOf(thread) === group).length;
    const [need, running] = [count("needsYou"), count("running")];
    const icon = need > 0 ? "$(bell-dot)" : running > 0 ? "$(sync~spin)" : "$(cloud)";
    const told = [
      need > 0 ? (need === 1 ? t("1 needs you") : t("{0} need you", need)) : "",
      running > 0 ? t("{0} running", running) : "",
    ].filter((part) => part !== "");
    this.#say(`${icon} ${told.length > 0 ? told.join(", ") : "Aloft"}`, t("Agents of Aloft"), told.join(", ") || undefined);
  }

  #say(text: string, tooltip: string, more?: string): void {
    this.#item.text = text;
    this.#item.tooltip = more ? `${tooltip}: ${plain(more)}` : tooltip;
    this.#item.accessibilityInformation = { label: `Aloft: ${this.#item.tooltip}` };
  }
}
