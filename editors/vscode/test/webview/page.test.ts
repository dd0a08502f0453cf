import { expect, test } from "vitest";
import type { ExtensionContext, Webview } from "vscode";

import { page } from "../../src/webview.js";
import { l10n, Uri } from "../unit/vscode.stub.js";

const webview = { cspSource: "https://files.test", asWebviewUri: ({ path }: Uri) => `https://files.test${path}` } as unknown as Webview;
const extension = { extensionUri: Uri.file("/ext") } as unknown as ExtensionContext;

test("a page may load its own script and style and pictures that are in it, and do nothing else", () => {
  const html = page(webview, extension, "thread", "A <b>");
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html) ?? [];
  const [, nonce] = /<script nonce="([\w-]{20,})" src="https:\/\/files\.test\/ext\/dist\/webview\/thread\.js"><\/script>/.exec(html) ?? [];
  expect(policy?.split("; ")).toEqual(["default-src 'none'", `script-src 'nonce-${nonce}'`, "style-src https://files.test", "img-src data:", "form-action 'none'", "base-uri 'none'"]);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).toContain("<title>A &#60;b&#62;</title>");
  expect(page(webview, extension, "thread", "")).not.toContain(nonce);
});

test("it brings the words of the editor's language along, whatever they are", () => {
  expect(page(webview, extension, "dashboard", "")).toContain('<div id="app"></div>');
  const words = { Stop: '"Halt" <b> & \'so\'' };
  Object.assign(l10n, { bundle: words });
  const parsed = new DOMParser().parseFromString(page(webview, extension, "dashboard", ""), "text/html");
  expect(JSON.parse(parsed.getElementById("app")!.dataset["words"]!)).toEqual(words);
  Object.assign(l10n, { bundle: undefined });
});
