// The page of a webview: one script, one style sheet, and a policy that forbids everything else.

import { randomBytes } from "node:crypto";

import * as vscode from "vscode";

export type PageName = "thread" | "dashboard" | "create";

/** Where pages may take files from. */
export function roots(extension: vscode.ExtensionContext): vscode.Uri[] {
  return [vscode.Uri.joinPath(extension.extensionUri, "dist", "webview")];
}

export function page(webview: vscode.Webview, extension: vscode.ExtensionContext, name: PageName, title: string): string {
  const nonce = randomBytes(16).toString("base64url");
  const [root] = roots(extension);
  const at = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(root!, file)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    "img-src data:",
    "form-action 'none'",
    "base-uri 'none'",
  ].join("; ");
  // Absent where the editor speaks English.
  const words = vscode.l10n.bundle ? ` data-words="${escape(JSON.stringify(vscode.l10n.bundle))}"` : "";
  return `<!DOCTYPE html>
<html lang="${vscode.env.language.replace(/[^\w-]/g, "")}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="stylesheet" href="${at(`${name}.css`)}">
</head>
<body>
<div id="app"${words}></div>
<script nonce="${nonce}" src="${at(`${name}.js`)}"></script>
</body>
</html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
