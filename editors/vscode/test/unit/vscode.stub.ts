// As much of `vscode` as modules touch that need no editor. Whatever needs more is tested inside VS Code.

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

export const env = { appName: "Test", language: "en", uriScheme: "vscode" };
export const version = "1.100.0";
export const window = { state: { focused: true } };
export const l10n = {
  t: (text: string, ...values: unknown[]) => text.replace(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)])),
};
