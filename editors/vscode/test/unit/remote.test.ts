import { expect, test } from "vitest";

import { hostOfAuthority, resolverFor } from "../../src/remote.js";
import { parse } from "../../src/uri.js";

const hex = (host: object) => `ssh-remote+${Buffer.from(JSON.stringify(host)).toString("hex")}`;

test.each([
  ["ssh-remote+fix-login-k3v9.aloft", "fix-login-k3v9"],
  ["ssh-remote+fix-login-k3v9.work.aloft", "fix-login-k3v9"],
  ["ssh-remote+agent@fix-login-k3v9.aloft", "fix-login-k3v9"],
  [hex({ hostName: "fix-login-k3v9.aloft" }), "fix-login-k3v9"],
  [hex({ other: 1 }), undefined],
  ["ssh-remote+abcd", undefined],
  ["ssh-remote+example.org", undefined],
  ["wsl+fix-login-k3v9.aloft", undefined],
  ["", undefined],
])("the authority %s is that of the thread %s", (authority, name) => expect(hostOfAuthority(authority)).toBe(name));

test.each([
  ["Visual Studio Code", "ms-vscode-remote.remote-ssh"],
  ["Visual Studio Code - Insiders", "ms-vscode-remote.remote-ssh"],
  ["Cursor", "anysphere.remote-ssh"],
  ["Windsurf", "codeium.windsurf-remote-openssh"],
  ["Antigravity", "google.antigravity-remote-openssh"],
  ["VSCodium", "jeanp413.open-remote-ssh"],
  ["code-oss-dev", "jeanp413.open-remote-ssh"],
])("%s gets %s", (editor, extension) => expect(resolverFor(editor)).toBe(extension));

test.each([
  ["/thread/fix-login-k3v9", { to: "thread", name: "fix-login-k3v9" }],
  ["/new", { to: "new" }],
  ["/dashboard", { to: "dashboard" }],
  ["/thread/", undefined],
  ["/thread/a/delete", undefined],
  ["/thread/..%2f", undefined],
  ["/delete/a", undefined],
])("the link %s means %o", (path, link) => expect(parse(path)).toEqual(link));
