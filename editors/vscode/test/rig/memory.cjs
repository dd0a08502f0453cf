// How much memory the extension takes by itself, which the shared extension host cannot tell: the built bundle in a process of its own,
// with the real bridge, and an editor that takes everything and gives nothing.
// usage: node --expose-gc memory.cjs PROGRAM; prints bytes of heap and threads as JSON.

const Module = require("node:module");
const path = require("node:path");

const [program] = process.argv.slice(2);

class Disposable {
  constructor(dispose = () => {}) {
    this.dispose = dispose;
  }
}
class EventEmitter {
  #listeners = new Set();
  event = (listener) => (this.#listeners.add(listener), new Disposable(() => this.#listeners.delete(listener)));
  fire(event) {
    for (const listener of [...this.#listeners]) listener(event);
  }
  dispose() {}
}
const log = Object.fromEntries(["trace", "debug", "info", "warn", "error", "show", "dispose"].map((name) => [name, () => {}]));

/** Whatever is asked of it: itself again. */
function anything(known = {}) {
  const made = new Map(Object.entries(known));
  const self = new Proxy(function () {}, {
    // The bundle makes objects of this one.
    getPrototypeOf: () => self,
    get(_, name) {
      if (name === "then" || name === Symbol.iterator) return undefined;
      if (name === Symbol.toPrimitive) return () => "";
      if (!made.has(name)) made.set(name, anything());
      return made.get(name);
    },
    set: (_, name, value) => (made.set(name, value), true),
    apply: () => anything(),
    construct: () => anything(),
  });
  return self;
}

const vscode = anything({
  Disposable, EventEmitter,
  l10n: { t: (text) => text },
  env: { appName: "memory", uriScheme: "memory", language: "en" },
  version: "0",
  workspace: anything({ workspaceFolders: undefined, textDocuments: [], getConfiguration: () => ({ get: (name, other) => (name === "path" ? program : other) }) }),
  window: anything({ createOutputChannel: () => log, state: { focused: false }, visibleTextEditors: [], tabGroups: anything({ all: [] }) }),
  extensions: { all: [], getExtension: () => undefined },
});
const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));

const memento = { get: (_, other) => other, update: async () => {}, keys: () => [], setKeysForSync: () => {} };
const context = anything({
  subscriptions: [], extensionPath: "/nowhere", workspaceState: memento, globalState: memento,
  globalStorageUri: { fsPath: path.join(process.env.HOME, "storage") }, extension: { packageJSON: { version: "0" } },
});

const heap = () => {
  for (let round = 0; round < 3; round++) globalThis.gc();
  return process.memoryUsage().heapUsed;
};

(async () => {
  const before = heap();
  const extension = require("../../dist/main.cjs");
  const { ctx } = extension.activate(context);
  for (const end = Date.now() + 60_000; !ctx.threads.loaded; ) {
    if (Date.now() > end) throw new Error("the list did not come");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(JSON.stringify({ extensionHeapBytes: heap() - before, threads: ctx.threads.all().length }));
  await extension.deactivate();
  process.exit(0);
})();
