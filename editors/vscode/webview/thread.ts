// The thread panel: the conversation of one thread with its questions, its plan, its queue and the message box.

import "./style.css";
import "./thread.css";

import type { Event, Input, Item, Kept } from "../src/protocol.js";
import { visible } from "./escapes.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { fill, h, say, show } from "./dom.js";
import { Header } from "./header.js";
import { t } from "./l10n.js";
import { Link, vscode } from "./link.js";
import { List } from "./list.js";
import type { Opening, ThreadAsks, ThreadTold, Trouble, Verb } from "./messages.js";
import { Queue } from "./queue.js";
import { stepRows } from "./parts.js";
import { type Page, draw, question } from "./rows.js";
import { state, turnEnd, works } from "./words.js";

/** What survives a reload. */
interface Memory {
  threadId?: string;
  expanded?: string[];
  /** The row that was at the top; absent = the end. */
  top?: string | undefined;
}

class Panel implements Page {
  readonly #api = vscode();
  readonly #link: Link<ThreadAsks, ThreadTold>;
  #memory: Memory;
  #conversation: Conversation | undefined;
  #expanded: Set<string>;
  #events: Event[] = [];
  #frame = 0;
  #loading = false;
  /** The page is read anew. */
  #opening = true;
  #kept: Kept[] = [];
  #trouble: Trouble | undefined;
  #gone: string | undefined;
  /** What goes along with the message, as it was told last. */
  #attached: Input[] | undefined;
  #questions = "";
  #heard = "";

  readonly #app = document.getElementById("app") ?? document.body;
  readonly #header: Header;
  readonly #list: List;
  readonly #older = h("button", { type: "button", class: "small older", onclick: () => void this.#readOlder() }, t("Show earlier"));
  readonly #banner = h("div", { class: "banner", role: "alert" });
  readonly #plan = h("details", { class: "plan-now" });
  readonly #planHead = h("summary", {});
  readonly #planSteps = h("ul", { class: "steps" });
  readonly #asks = h("div", { class: "asks" });
  readonly #queue: Queue;
  readonly #composer: Composer;
  readonly #toEnd = h("button", { type: "button", class: "to-end", onclick: () => this.#list.toEnd() }, t("↓ To the end"));
  readonly #live = h("div", { class: "sr-only", role: "status" });

  constructor() {
    this.#memory = memory(this.#api.getState());
    this.#expanded = new Set(this.#memory.expanded);
    this.#link = new Link<ThreadAsks, ThreadTold>(this.#api, {
      events: (events) => this.#hear(events),
      queue: (items) => this.#setQueue(items),
      kept: (kept) => {
        this.#kept = kept;
        this.#setQueue(this.#queue.items, false);
      },
      trouble: (trouble) => {
        this.#trouble = trouble ?? undefined;
        this.#showBanner();
      },
      again: () => void this.open(),
      gone: ({ message }) => {
        this.#gone = message;
        this.#showBanner();
        this.#showBelow();
      },
      attach: (parts) => this.#composer.attach(parts),
      focus: () => this.#composer.focus(),
    });
    this.#header = new Header((verb) => this.verb(verb), (url) => this.attempt(this.ask("openUrl", { url })));
    const log = h("div", { class: "log", role: "feed", tabindex: 0, "aria-label": t("Conversation") }, this.#older);
    this.#list = new List(log, (key) => draw(this, key));
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#plan.append(this.#planHead, this.#planSteps);
    this.#queue = new Queue({
      move: (itemId, position) => this.attempt(this.ask("queueMove", { itemId, position })),
      remove: (itemId) => this.attempt(this.ask("queueRemove", { itemId })),
      edit: (item) => this.#composer.edit(item.id, item.input),
      takeBack: (requestId) => this.attempt(this.ask("keptRemove", { requestId })),
    });
    this.#composer = new Composer(
      {
        send: (input, how, requestId) => {
          this.#list.toEnd();
          return this.ask("send", { input, how, requestId });
        },
        create: (input) => this.ask("create", { input }),
        edit: (itemId, input, requestId) => this.ask("queueEdit", { itemId, input, requestId }),
        // An editor writes down what a page remembers only now and then, so the extension keeps this.
        changed: ({ attached, ...draft }) => {
          this.attempt(this.ask("draft", attached === this.#attached ? { draft } : { draft, attached }));
          this.#attached = attached;
        },
      },
    );
    for (const element of [this.#older, this.#banner, this.#plan, this.#asks, this.#toEnd]) show(element, false);
    fill(this.#app, [
      h("main", { class: "thread" }, this.#header.element, this.#banner, log, h("footer", {}, this.#toEnd, this.#plan, this.#asks, this.#queue.element, this.#composer.element), this.#live),
    ]);
  }

  // ---- what rows need

  conversation(): Conversation {
    if (this.#conversation === undefined) throw new Error("nothing is open");
    return this.#conversation;
  }

  ask<K extends keyof ThreadAsks>(method: K, params: ThreadAsks[K]["params"]): Promise<ThreadAsks[K]["result"]> {
    return this.#link.ask(method, params);
  }

  attempt(what: Promise<unknown>): void {
    what.catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#trouble = error as Trouble;
    this.#showBanner();
  }

  verb(verb: Verb, turn?: number): void {
    this.attempt(this.ask("verb", turn === undefined ? { verb } : { verb, turn }));
  }

  isExpanded(key: string): boolean {
    return this.#expanded.has(key);
  }

  expand(key: string, open: boolean): void {
    if (open === this.#expanded.has(key)) return;
    if (open) this.#expanded.add(key);
    else this.#expanded.delete(key);
    // Enough for what a person has open; the oldest are forgotten.
    this.#remember({ expanded: [...this.#expanded].slice(-200) });
  }

  // ---- opening

  /** What was not sent when the page was last there. */
  async restore(): Promise<void> {
    const unsent = await this.ask("unsent", {}).catch(() => null);
    this.#composer.restore(unsent ?? undefined);
  }

  async open(): Promise<void> {
    let opening: Opening;
    // What is told from now on waits for the page. What is shown stays until there is another.
    this.#opening = true;
    try {
      opening = await this.ask("ready", {});
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#opening = false;
    this.#events = this.#events.filter((event) => event.cursor > opening.cursor);
    this.#gone = undefined;
    this.#trouble = opening.trouble ?? (opening.lastSeen ? { message: t("The cloud cannot be reached. This is what was last seen.") } : undefined);
    this.#kept = opening.kept;
    this.#conversation = new Conversation(opening);
    this.#composer.history.reset(opening.history);
    if (opening.attached.length > 0) this.#composer.attach(opening.attached);
    const top = this.#memory.top;
    this.#list.reset(this.#conversation.rows);
    this.#remember({ threadId: opening.thread.id });
    show(this.#older, this.#conversation.hasMore);
    this.#setQueue(opening.queue ?? this.#queue.items, opening.queue !== undefined);
    this.#showAll();
    this.#showBanner();
    if (top !== undefined) await this.#find(top);
    this.#flush();
  }

  /** Goes back to where the reader was, if that is near enough. */
  async #find(key: string): Promise<void> {
    for (let i = 0; i < 5; i++) {
      if (this.#list.reveal(key)) return;
      if (!this.#conversation?.hasMore) break;
      await this.#readOlder();
    }
    this.#list.toEnd();
  }

  async #readOlder(): Promise<void> {
    const conversation = this.#conversation;
    const before = conversation?.rows.find((key) => !key.startsWith("turn:"));
    if (conversation === undefined || before === undefined || this.#loading || !conversation.hasMore) return;
    this.#loading = true;
    this.#list.element.setAttribute("aria-busy", "true");
    say(this.#older, t("Reading…"));
    try {
      const page = await this.ask("older", { before });
      if (conversation !== this.#conversation) return;
      this.#list.prepend(conversation.prepend(page));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#loading = false;
      this.#list.element.removeAttribute("aria-busy");
      say(this.#older, t("Show earlier"));
      this.#list.keep(() => show(this.#older, conversation.hasMore));
    }
  }

  // ---- events

  #hear(events: Event[]): void {
    this.#events.push(...events);
    if (this.#opening || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    this.#frame = 0;
    const conversation = this.#conversation;
    if (conversation === undefined || this.#opening || this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    const change = conversation.apply(events);
    if (change.removed.length > 0) this.#list.remove(change.removed);
    if (change.added.length > 0) this.#list.append(change.added);
    if (change.changed.size > 0) this.#list.update(change.changed);
    if (events.some((event) => event.type !== "itemAppended")) this.#showAll();
    for (const event of events) {
      if (event.type === "turnCompleted") this.#announce(turnEnd(event.turn));
    }
  }

  /** `known`: it was read, so that what is not in it waits no longer. */
  #setQueue(items: Item[], known = true): void {
    this.#queue.set(items, this.#kept);
    if (known) this.#composer.gone(new Set(items.map((item) => item.id)));
  }

  // ---- showing

  #showAll(): void {
    const conversation = this.#conversation;
    if (conversation === undefined) return;
    this.#header.set(conversation.thread, conversation.running);
    this.#list.keep(() => this.#showBelow());
    if (conversation.thread.state === "requiresAction") {
      const open = conversation.questions.at(-1);
      if (open) this.#announce(t("The agent asks: {0}", visible(open.title)));
    } else this.#announce(state(conversation.thread));
  }

  #showBelow(): void {
    const conversation = this.#conversation;
    if (conversation === undefined) return;
    const { thread, plan, questions } = conversation;
    const current = plan?.steps.find((step) => step.state === "inProgress");
    const done = plan?.steps.filter((step) => step.state === "completed").length ?? 0;
    const running = works(thread) && plan !== undefined && plan.turnId === conversation.running?.id;
    show(this.#plan, running);
    if (running) {
      say(this.#planHead, t("Plan {0}/{1}", done, plan.steps.length) + (current ? `: ${visible(current.text)}` : ""));
      fill(this.#planSteps, stepRows(plan.steps));
    }
    const open = this.#gone === undefined ? questions : [];
    const asked = open.map((item) => item.id).join();
    if (asked !== this.#questions) {
      this.#questions = asked;
      fill(this.#asks, open.map((item) => question(item, (optionId) => this.#answer(item.id, optionId))));
      show(this.#asks, open.length > 0);
    }
    const closed = this.#gone ?? (thread.state === "deleting" ? t("The thread is being deleted.") : undefined);
    this.#composer.set(works(thread), closed, thread.baseCommit);
    // What is gone can be read, and nothing be done with it.
    this.#app.classList.toggle("gone", closed !== undefined);
  }

  #answer(itemId: string, optionId: string): void {
    const box = [...this.#asks.children].find((one) => one instanceof HTMLElement && one.dataset["item"] === itemId);
    const buttons = [...(box?.querySelectorAll("button") ?? [])];
    for (const button of buttons) button.disabled = true;
    const answered = this.ask("answer", { itemId, optionId });
    this.attempt(answered);
    answered.then(() => this.#composer.focus(), () => buttons.forEach((button) => (button.disabled = false)));
  }

  #showBanner(): void {
    const trouble = this.#gone === undefined ? this.#trouble : { message: this.#gone };
    const close = h("button", { type: "button", class: "icon", "aria-label": t("Close this message"), onclick: () => ((this.#trouble = undefined), this.#showBanner()) }, "×");
    fill(this.#banner, trouble ? [h("span", {}, visible([trouble.message, "hint" in trouble ? trouble.hint : undefined].filter(Boolean).join(" · "))), this.#gone === undefined && close] : []);
    show(this.#banner, trouble !== undefined);
  }

  #announce(words: string): void {
    if (words === this.#heard) return;
    this.#heard = words;
    say(this.#live, words);
  }

  #scrolled(): void {
    show(this.#toEnd, !this.#list.atEnd);
    if (this.#list.element.scrollTop < 600 && this.#conversation?.hasMore) void this.#readOlder();
    this.#remember({ top: this.#list.atEnd ? undefined : this.#list.top() });
  }

  #remember(more: Partial<Memory>): void {
    this.#memory = { ...this.#memory, ...more };
    this.#api.setState(this.#memory);
  }
}

function memory(stored: unknown): Memory {
  return typeof stored === "object" && stored !== null ? (stored) : {};
}

const panel = new Panel();
void panel.restore();
void panel.open();
