// The line to the extension: questions with answers, and what it tells by itself.

export interface VsCode {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCode;

/** What the extension refused, for people. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly reason?: string,
    readonly hint?: string,
    /** It may have been done all the same. */
    readonly unsure = false,
  ) {
    super(message);
  }
}

/** Questions by name, as in `webview/messages.ts`. */
type Asks = Record<string, { params: unknown; result: unknown }>;

export class Link<A extends { [K in keyof A]: Asks[string] }, T extends object> {
  #waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Refused) => void }>();
  #next = 1;

  constructor(
    readonly vscode: VsCode,
    told: { [K in keyof T]: (told: T[K]) => void },
  ) {
    window.addEventListener("message", (event: MessageEvent<unknown>) => {
      const message = event.data;
      if (typeof message !== "object" || message === null) return;
      if ("answers" in message && typeof message.answers === "number") {
        const waiting = this.#waiting.get(message.answers);
        this.#waiting.delete(message.answers);
        if ("error" in message) {
          const error = message.error as { message?: unknown; reason?: unknown; hint?: unknown; unsure?: unknown };
          waiting?.reject(new Refused(String(error.message), text(error.reason), text(error.hint), error.unsure === true));
        } else if ("result" in message) waiting?.resolve(message.result as never);
      } else if ("tells" in message && typeof message.tells === "string" && Object.hasOwn(told, message.tells)) {
        told[message.tells as keyof T]((message as unknown as { value: T[keyof T] }).value);
      }
    });
  }

  /** Asks the extension. */
  ask<K extends keyof A & string>(method: K, params: A[K]["params"]): Promise<A[K]["result"]> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.vscode.postMessage({ asks: method, id, params });
    });
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The line of this page; there is one. */
export function vscode(): VsCode {
  return acquireVsCodeApi();
}
