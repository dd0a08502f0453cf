// Comments on the lines of a review that were not sent yet, kept by the editor until the agent has them.

import { randomUUID } from "node:crypto";

import type * as vscode from "vscode";

import { asRequestError } from "./errors.js";
import type { Against, Input } from "./protocol.js";
import { locate } from "./review_anchor.js";

const KEY = "aloft.review.comments";
/** Messages whose answer never came, before the id of their thread. */
const ASKED = "aloft.review.asked.";

/** A comment that was not sent yet. */
export interface Draft {
  id: string;
  threadId: string;
  against: Against;
  path: string;
  side: "before" | "after";
  start: number;
  end: number;
  /** The lines that it is about. */
  text: string;
  body: string;
  /** Its lines are not there any more. */
  outdated?: boolean;
}

/** A message as it was sent the first time. */
interface Asked {
  readonly requestId: string;
  /** Which comments are in it, and what they say. */
  readonly of: string;
  readonly input: Input[];
}

export class Drafts {
  constructor(
    private readonly store: vscode.Memento,
    private readonly changed: () => void = () => undefined,
  ) {}

  /** Of one thread, or all. */
  all(threadId?: string): Draft[] {
    const drafts = this.store.get<Draft[]>(KEY, []);
    return threadId === undefined ? drafts : drafts.filter((draft) => draft.threadId === threadId);
  }

  add(draft: Draft): Promise<void> {
    return this.#write([...this.all(), draft]);
  }

  change(id: string, different: Partial<Draft>): Promise<void> {
    return this.#write(this.all().map((draft) => (draft.id === id ? { ...draft, ...different } : draft)));
  }

  remove(...ids: string[]): Promise<void> {
    return this.#write(this.all().filter(({ id }) => !ids.includes(id)));
  }

  /** Finds the lines of the comments again after the files changed. What cannot be read now stays where it is. */
  async anchor(threadId: string, read: (draft: Draft) => Promise<string>): Promise<void> {
    const places = new Map<string, Partial<Draft>>();
    for (const draft of this.all(threadId)) {
      try {
        const at = locate(draft, await read(draft));
        places.set(draft.id, at ? { ...at, outdated: false } : { outdated: true });
      } catch (error) {
        if (!asRequestError(error).unsure) places.set(draft.id, { outdated: true });
      }
    }
    // Only the places: a comment may say something else by now, or be gone.
    if (places.size > 0) await this.#write(this.all().map((draft) => ({ ...draft, ...places.get(draft.id) })));
  }

  /** Sends the comments of a thread as one message; gives those that were in it. What was not answered is sent again as it was, under its id. */
  async send(threadId: string, send: (input: Input[], requestId: string) => Promise<unknown>): Promise<Draft[]> {
    const drafts = this.all(threadId);
    if (drafts.length === 0) return [];
    const of = JSON.stringify(drafts.map(({ id, body }) => [id, body]));
    const before = this.store.get<Asked>(ASKED + threadId);
    const asked: Asked = before?.of === of ? before : { requestId: randomUUID(), of, input: message(drafts) };
    await this.store.update(ASKED + threadId, asked);
    try {
      await send(asked.input, asked.requestId);
    } catch (error) {
      if (!asRequestError(error).unsure) await this.store.update(ASKED + threadId, undefined);
      throw error;
    }
    await this.store.update(ASKED + threadId, undefined);
    // One that says something else by now was not sent as that.
    const sent = new Map(drafts.map(({ id, body }) => [id, body]));
    await this.#write(this.all().filter(({ id, body }) => sent.get(id) !== body));
    return drafts;
  }

  async #write(drafts: Draft[]): Promise<void> {
    await this.store.update(KEY, drafts);
    this.changed();
  }
}

/** The message that the agent gets: each comment behind the lines it is about. */
function message(drafts: readonly Draft[]): Input[] {
  const sorted = [...drafts].sort((a, b) => (a.path === b.path ? a.start - b.start : a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap((draft): Input[] => {
    const where = draft.start === draft.end ? `${draft.path}:${draft.start + 1}` : `${draft.path}:${draft.start + 1}-${draft.end + 1}`;
    const note = draft.outdated ? " (these lines have changed since)" : draft.side === "before" ? " (as it was before your change)" : "";
    const range = { start: { line: draft.start, character: 0 }, end: { line: draft.end + 1, character: 0 } };
    return [
      { type: "selection", path: draft.path, range, text: draft.text },
      { type: "text", text: `${where}${note}:\n${draft.body}` },
    ];
  });
  return [{ type: "text", text: drafts.length === 1 ? "A comment on your changes:" : `${drafts.length} comments on your changes:` }, ...parts];
}
