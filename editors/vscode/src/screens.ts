// Which threads a person can see now. Notices about them need no toast.

import * as vscode from "vscode";

export interface Screen {
  /** The thread can be seen, apart from whether the window has the focus. */
  shows(threadId: string): boolean;
}

export class Screens {
  readonly #screens = new Set<Screen>();
  readonly #shown = new vscode.EventEmitter<string>();
  /** A thread came on screen. */
  readonly onDidShow = this.#shown.event;

  add(screen: Screen): vscode.Disposable {
    this.#screens.add(screen);
    return new vscode.Disposable(() => this.#screens.delete(screen));
  }

  /** A screen says that it shows this thread from now on. */
  shown(threadId: string): void {
    this.#shown.fire(threadId);
  }

  /** The thread is before somebody's eyes: on screen, in the window that has the focus. */
  seen(threadId: string): boolean {
    return vscode.window.state.focused && this.shows(threadId);
  }

  shows(threadId: string): boolean {
    return [...this.#screens].some((screen) => screen.shows(threadId));
  }
}
