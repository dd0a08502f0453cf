// The extension's end of the line to a webview: questions with answers, and what it tells by itself. A question nobody knows is
// refused; what a handler is given is checked by it.

import type * as vscode from "vscode";

import { asRequestError } from "./errors.js";

type Asks<A> = { [K in keyof A]: { params: unknown; result: unknown } };

export type Handlers<A extends Asks<A>> = { [K in keyof A]: (params: A[K]["params"]) => Promise<A[K]["result"]> };

/** Answers what the page asks. */
export function serve<A extends Asks<A>>(webview: vscode.Webview, handlers: Handlers<A>, log: vscode.LogOutputChannel): vscode.Disposable {
  return webview.onDidReceiveMessage(async (message: unknown) => {
    if (typeof message !== "object" || message === null || !("asks" in message) || !("id" in message)) return;
    const { asks, id } = message;
    const params = "params" in message ? message.params : undefined;
    if (typeof asks !== "string" || typeof id !== "number" || !Object.hasOwn(handlers, asks)) {
      log.warn(`a webview asked for ${JSON.stringify(asks)?.slice(0, 100)}, which there is not`);
      return;
    }
    try {
      if (typeof params !== "object" || params === null) throw new TypeError("parameters are an object");
      const result = await handlers[asks as keyof A](params);
      await webview.postMessage({ answers: id, result: result ?? null });
    } catch (error) {
      const { message: words, reason, hint, unsure } = asRequestError(error);
      log.debug(`${asks}: ${reason}: ${words}`);
      await webview.postMessage({ answers: id, error: { message: words, reason, hint, unsure } });
    }
  });
}

/** Tells the page something. */
export function tell<T extends object, K extends keyof T & string>(webview: vscode.Webview, tells: K, value: T[K]): void {
  void webview.postMessage({ tells, value });
}
