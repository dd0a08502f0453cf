// What the form for a new agent and the extension say to each other.

import type { Agent, Dirty, Input, Mode } from "../src/protocol.js";

/** Where the code comes from. */
export interface Source {
  /** A checkout on this machine. */
  path?: string;
  /** Git URL or `OWNER/NAME`. */
  repository?: string;
}

/** A source in a few words, which tell it from others of its name at other forges. */
export function short({ path, repository }: Source): string {
  return path?.split(/[/\\]/).pop() ?? repository?.replace(/^https?:\/\//i, "").replace(/\.git$/, "") ?? "";
}

/** What was entered; it is kept until an agent was created. */
export interface Form {
  prompt: string;
  attached: Input[];
  source: Source;
  ref: string;
  branch: string;
  /** Number, key or address of the issue that it is about; the prompt may be empty then. */
  issue?: string;
  agent: string;
  model: string;
  mode: Mode;
  dirty: Dirty;
  /** The id under which it was sent without an answer: sent again it does nothing twice. */
  requestId?: string;
}

/** Why a part that was attached is not what the agent will find: it has changed since, or the agent begins at another commit. */
export type Stale = "changed" | "elsewhere" | null;

export interface Facts {
  agents: Agent[];
  /** Uncommitted changes of the source. */
  uncommitted: number;
  /** For each attached part. */
  stale: Stale[];
  /** Why agents are not known. */
  problem?: string;
}

export interface CreateAsks {
  ready: { params: Record<string, never>; result: { form: Form; facts: Facts; history: string[] } };
  /** `attached` is absent where it is what was told last: pictures are large. */
  changed: { params: { form: Omit<Form, "attached">; attached?: Input[] }; result: null };
  /** Of what was told last. */
  facts: { params: Record<string, never>; result: Facts };
  pickSource: { params: Record<string, never>; result: Source | null };
  pickRef: { params: { source: Source }; result: string | null };
  pickFiles: { params: { source: Source }; result: Input[] };
  create: { params: { form: Form }; result: null };
  keys: { params: Record<string, never>; result: null };
  /** Whether an account is connected now. */
  connect: { params: { source: Source; issue?: string }; result: boolean };
}

export interface CreateTold {
  /** A draft from elsewhere: a selection that was delegated, for one. */
  form: Form;
  /** Something has changed that facts are about. */
  changed: null;
}
