// Where the program `aloft` is: where the setting says, in this extension, or in PATH.

import { access, constants, open, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

import * as vscode from "vscode";

const t = vscode.l10n.t;

export interface Program {
  readonly path: string;
  readonly from: "setting" | "extension" | "PATH";
}

/** Why there is no program to start. `message` and `hint` are for people. */
export class NoProgram extends Error {
  constructor(message: string, readonly hint: string) {
    super(message);
  }
}

const NAME = process.platform === "win32" ? "aloft.exe" : "aloft";

export interface Places {
  /** The setting, empty where it is not set. */
  readonly setting: string;
  readonly extension: string;
  readonly search: string;
}

/** The program to start, an absolute path. */
export async function find({ setting, extension, search }: Places): Promise<Program> {
  if (setting) {
    const there = setting.replace(/^~(?=[/\\]|$)/, homedir());
    if (!path.isAbsolute(there)) {
      throw new NoProgram(t("The setting aloft.path is no absolute path: {0}", setting), t("Give the whole path of the program, or clear the setting"));
    }
    const problem = await unusable(there);
    if (problem) throw new NoProgram(t("The program that the setting aloft.path names {0}: {1}", problem, there), t("Correct or clear the setting"));
    return { path: there, from: "setting" };
  }
  const bundled = path.join(extension, "bin", NAME);
  if (!(await unusable(bundled))) return { path: bundled, from: "extension" };
  for (const folder of search.split(path.delimiter).filter((folder) => path.isAbsolute(folder))) {
    const candidate = path.join(folder, NAME);
    if (!(await unusable(candidate))) return { path: candidate, from: "PATH" };
  }
  throw new NoProgram(t("The program aloft was not found"), t("Install it, or name it in the setting aloft.path"));
}

async function unusable(file: string): Promise<string | undefined> {
  try {
    if (!(await stat(file)).isFile()) return t("is no file");
  } catch {
    return t("does not exist");
  }
  if (!(await access(file, constants.X_OK).then(() => true, () => false))) return t("may not be executed");
  return (await foreign(file)) ? t("is made for another kind of machine") : undefined;
}

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183, arm: 40, ia32: 3, riscv64: 243 };

/** By its first bytes. A shell would be asked to run such a file, and say something odd. */
async function foreign(file: string): Promise<boolean> {
  const bytes = Buffer.alloc(20);
  const handle = await open(file).catch(() => undefined);
  // Executable, but not to be read: the system will tell.
  if (!handle) return false;
  await handle.read(bytes, 0, bytes.length, 0).finally(() => handle.close());
  const magic = bytes.readUInt32BE(0);
  if (magic === 0x7f454c46) return process.platform !== "linux" || bytes.readUInt16LE(18) !== (MACHINES[process.arch] ?? bytes.readUInt16LE(18));
  if (magic === 0xcffaedfe || magic === 0xcafebabe) return process.platform !== "darwin";
  return bytes.toString("latin1", 0, 2) === "MZ" && process.platform !== "win32";
}
