// What the webviews and the extension say to each other. Both sides check the names; nothing here is trusted as HTML.

import type { Event, Input, Item, Kept, PlanStep, Thread, Turn } from "../src/protocol.js";

/** An item as the thread panel has it: what is large is left out until it is asked for. */
export type Shown = Item & { slim?: boolean };

/** What a person may do with a thread, beside talking to it. */
export type Verb =
  | "stop" | "finish" | "pause" | "resume" | "retry" | "delete" | "mute" | "unmute" | "apply" | "ssh" | "review"
  | "createPullRequest" | "open" | "mode" | "ports" | "connect" | "create" | "fork" | "rewind" | "more";

/** How the cloud is heard: absent = well. */
export interface Trouble {
  message: string;
  hint?: string;
}

/** What is not sent yet. */
export interface Draft {
  text: string;
  attached: Input[];
  /** The id under which it was sent without an answer: sent again it does nothing twice. */
  requestId?: string | undefined;
  /** The way it was sent then. */
  how?: How | undefined;
  /** A waiting message that is being changed. */
  editing?: string | undefined;
  /** What was being written before that. */
  aside?: Draft | undefined;
}

export interface Opening {
  thread: Thread;
  turns: Turn[];
  items: Shown[];
  hasMore: boolean;
  cursor: number;
  /** Absent where it could not be read. */
  queue?: Item[] | undefined;
  kept: Kept[];
  history: string[];
  /** For the message box: what was attached while there was no page. */
  attached: Input[];
  trouble?: Trouble | undefined;
  /** The cloud cannot be reached: this is what was last seen, then. */
  lastSeen?: string | undefined;
}

export type How = "guide" | "queue";

/** What the thread panel asks. */
export interface ThreadAsks {
  ready: { params: Record<string, never>; result: Opening };
  /** What was not sent when the page was last there: the extension knows it at once, also where the cloud is slow. */
  unsent: { params: Record<string, never>; result: Draft | null };
  older: { params: { before: string }; result: { turns: Turn[]; items: Shown[]; hasMore: boolean } };
  item: { params: { itemId: string }; result: Item };
  output: { params: { itemId: string; offset: number; limit: number }; result: { data: string; nextOffset: number; totalBytes: number } };
  openOutput: { params: { itemId: string }; result: null };
  openDiff: { params: { itemId: string; index: number }; result: null };
  openDetail: { params: { itemId: string; part: "arguments" | "result" }; result: null };
  openUrl: { params: { url: string }; result: null };
  openFile: { params: { path: string; line?: number }; result: null };
  send: { params: { input: Input[]; how: How; requestId: string }; result: { kept: boolean } };
  /** Puts it into the form for a new agent; false where nobody went on. */
  create: { params: { input: Input[] }; result: boolean };
  /** `attached` is absent where it is what was told last: pictures are large. */
  draft: { params: { draft: Omit<Draft, "attached">; attached?: Input[] }; result: null };
  answer: { params: { itemId: string; optionId: string }; result: { kept: boolean } };
  queueMove: { params: { itemId: string; position: number }; result: null };
  queueRemove: { params: { itemId: string }; result: null };
  queueEdit: { params: { itemId: string; input: Input[]; requestId: string }; result: null };
  keptRemove: { params: { requestId: string }; result: null };
  verb: { params: { verb: Verb; turn?: number }; result: null };
}

/** What the extension tells the thread panel by itself. */
export interface ThreadTold {
  events: Event[];
  queue: Item[];
  kept: Kept[];
  trouble: Trouble | null;
  /** Read everything anew. */
  again: null;
  /** The thread is gone. */
  gone: { message: string };
  attach: Input[];
  focus: null;
}

/** A thread as a card. */
export interface Card {
  thread: Thread;
  /** What it does now. */
  doing?: string | undefined;
  plan?: PlanStep[] | undefined;
  /** The title of an open question. */
  question?: string | undefined;
}

/** What the dashboard asks. */
export interface DashboardAsks {
  ready: { params: Record<string, never>; result: { cards: Card[]; loaded: boolean; trouble?: Trouble | undefined } };
  verb: { params: { verb: Verb; threadId?: string }; result: null };
  openUrl: { params: { url: string }; result: null };
}

/** What the extension tells the dashboard by itself. */
export interface DashboardTold {
  cards: { changed: Card[]; gone: string[]; loaded: boolean };
  trouble: Trouble | null;
}
