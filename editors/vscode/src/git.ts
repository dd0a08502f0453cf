// What the editor knows of the repositories in it, by its own git extension.

import * as vscode from "vscode";

/** The part of the API of `vscode.git` that is used. */
interface GitApi {
  getRepository(uri: vscode.Uri): GitRepository | null;
  readonly repositories: GitRepository[];
}

export interface GitRepository {
  readonly rootUri: vscode.Uri;
  readonly state: {
    readonly HEAD: { readonly name?: string; readonly commit?: string } | undefined;
    readonly workingTreeChanges: readonly unknown[];
    readonly indexChanges: readonly unknown[];
    readonly untrackedChanges: readonly unknown[];
  };
  getBranches(query: { remote?: boolean; count?: number }): Promise<{ name?: string; commit?: string }[]>;
}

async function git(): Promise<GitApi | undefined> {
  const extension = vscode.extensions.getExtension<{ getAPI(version: 1): GitApi }>("vscode.git");
  try {
    return (await extension?.activate())?.getAPI(1);
  } catch {
    // Switched off, or there is no git here.
    return undefined;
  }
}

export async function repositoryOf(uri: vscode.Uri): Promise<GitRepository | undefined> {
  return (await git())?.getRepository(uri) ?? undefined;
}

/** The repositories of this window, and folders that may be some. */
export async function folders(): Promise<string[]> {
  const open = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
  const known = ((await git())?.repositories ?? []).map(({ rootUri }) => rootUri.fsPath);
  return [...new Set([...open, ...known])];
}

/** The branches of a repository, the one that is checked out first. */
export async function branches(path: string): Promise<string[]> {
  const repository = await repositoryOf(vscode.Uri.file(path));
  if (!repository) return [];
  const names = (await repository.getBranches({ remote: false, count: 500 })).flatMap(({ name }) => (name ? [name] : []));
  const head = repository.state.HEAD?.name;
  return [...new Set([...(head ? [head] : []), ...names])];
}

/** How many files have changes that are in no commit. */
export async function uncommitted(path: string): Promise<number> {
  const repository = await repositoryOf(vscode.Uri.file(path));
  if (!repository) return 0;
  const { workingTreeChanges, indexChanges, untrackedChanges } = repository.state;
  return workingTreeChanges.length + indexChanges.length + untrackedChanges.length;
}
