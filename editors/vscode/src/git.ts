// What the editor knows of the repositories in it, by its own git extension.

import * as vscode from "vscode";

/** The part of the API of `vscode.git` that is used. */
interface GitApi {
  getRepository(uri: vscode.Uri): GitRepository | null;
  readonly repositories: GitRepository[];
  readonly onDidOpenRepository: vscode.Event<GitRepository>;
}

export interface GitRepository {
  readonly rootUri: vscode.Uri;
  readonly state: {
    readonly HEAD: { readonly name?: string; readonly commit?: string } | undefined;
    readonly workingTreeChanges: readonly unknown[];
    readonly indexChanges: readonly unknown[];
    readonly untrackedChanges: readonly unknown[];
    /** After each `git status`, which follows changes of files too. */
    readonly onDidChange: vscode.Event<void>;
  };
  getCommit(ref: string): Promise<{ readonly hash: string }>;
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

/** The commit that `ref` names in the repository of a file or folder, else the one that is checked out there. */
export async function commitOf(uri: vscode.Uri, ref = ""): Promise<string | undefined> {
  const repository = await repositoryOf(uri);
  if (ref === "") return repository?.state.HEAD?.commit;
  try {
    return (await repository?.getCommit(ref))?.hash;
  } catch {
    // There is none of that name here.
    return undefined;
  }
}

/** The repositories of this window, and folders that may be some. */
export async function folders(): Promise<string[]> {
  const open = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
  const known = ((await git())?.repositories ?? []).map(({ rootUri }) => rootUri.fsPath);
  return [...new Set([...open, ...known])];
}

/** Tells when something has changed in a repository of this window. */
export async function watch(changed: () => void): Promise<vscode.Disposable> {
  const api = await git();
  const watched: vscode.Disposable[] = [];
  const follow = ({ state }: GitRepository): void => void watched.push(state.onDidChange(changed));
  if (api) watched.push(api.onDidOpenRepository(follow));
  api?.repositories.forEach(follow);
  return new vscode.Disposable(() => watched.forEach((one) => void one.dispose()));
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
