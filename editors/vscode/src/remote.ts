// Authorities of remote windows, and the extensions that can open them.

/** Extensions for SSH, by the editor they belong to. Others have none of their own and take the open one. */
const RESOLVERS: readonly [RegExp, string][] = [
  [/^visual studio code/i, "ms-vscode-remote.remote-ssh"],
  [/cursor/i, "anysphere.remote-ssh"],
  [/windsurf/i, "codeium.windsurf-remote-openssh"],
  [/antigravity/i, "google.antigravity-remote-openssh"],
];

/** The extension for SSH to install in this editor. */
export function resolverFor(appName: string): string {
  return RESOLVERS.find(([name]) => name.test(appName))?.[1] ?? "jeanp413.open-remote-ssh";
}

/** The thread's name in `ssh-remote+SLUG.aloft`, `ssh-remote+SLUG.CLOUD.aloft`, or the same in the hexadecimal JSON that Remote-SSH makes of hosts it cannot write otherwise. */
export function hostOfAuthority(authority: string): string | undefined {
  const [resolver, rest = ""] = authority.split("+", 2);
  if (resolver !== "ssh-remote") return undefined;
  const host = /^(?:[0-9a-f]{2})+$/i.test(rest) ? decoded(rest) ?? rest : rest;
  const name = /^(?:[^@]+@)?([^.]+)(?:\.[^.]+)?\.aloft(?::\d+)?$/.exec(host)?.[1];
  return name;
}

function decoded(hex: string): string | undefined {
  try {
    const { hostName } = JSON.parse(Buffer.from(hex, "hex").toString("utf8")) as { hostName?: unknown };
    return typeof hostName === "string" ? hostName : undefined;
  } catch {
    return undefined;
  }
}
