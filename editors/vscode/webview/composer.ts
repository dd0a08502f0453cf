// The message box. While a turn runs a message guides it, or waits for its end; what was not sent is never lost.

import type { Input } from "../src/protocol.js";
import { chip, pasted, walked } from "./box.js";
import { fill, h, say, show } from "./dom.js";
import { History } from "./history.js";
import { t } from "./l10n.js";
import { Refused } from "./link.js";
import type { Draft, How } from "./messages.js";

export interface Wishes {
  send(input: Input[], how: How, requestId: string): Promise<unknown>;
  edit(itemId: string, input: Input[], requestId: string): Promise<unknown>;
  /** Begins the form for a new agent with it; false where nobody went on. */
  create(input: Input[]): Promise<boolean>;
  changed(draft: Draft): void;
}

export class Composer {
  readonly element: HTMLElement;
  readonly #box: HTMLTextAreaElement;
  readonly #chips: HTMLElement;
  readonly #to: HTMLSelectElement;
  readonly #send: HTMLButtonElement;
  readonly #later: HTMLButtonElement;
  readonly #cancel: HTMLButtonElement;
  readonly #hint: HTMLElement;
  readonly #error: HTMLElement;
  readonly history = new History();
  readonly #wishes: Wishes;
  #draft: Draft = { text: "", attached: [] };
  #sending = false;
  /** Something was written or attached since the page is there. */
  #touched = false;
  /** Who opened the page is asked what was not sent last: until then nothing can be written. */
  #restored = false;
  #works = false;
  #closed: string | undefined;
  #base: string | undefined;

  constructor(wishes: Wishes) {
    this.#wishes = wishes;
    this.#box = h("textarea", {
      id: "message", rows: 1, "aria-label": t("Message to the agent"), "aria-describedby": "message-hint",
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event as KeyboardEvent), 
      onpaste: (event) => pasted(event as ClipboardEvent, (picture) => this.attach([picture]), (words) => this.#fail(words)),
    });
    this.#chips = h("div", { class: "chips" });
    this.#to = h("select", { "aria-label": t("For"), onchange: () => (this.#show(), this.focus()) }, h("option", { value: "this" }, t("This agent")), h("option", { value: "new" }, t("Remote Agent (new)")));
    this.#send = h("button", { type: "button", class: "primary send", onclick: () => void this.send("guide") }, t("Send"));
    this.#later = h("button", { type: "button", class: "secondary later", onclick: () => void this.send("queue") }, t("After this turn"));
    this.#cancel = h("button", { type: "button", class: "secondary", onclick: () => this.#stopEditing() }, t("Cancel"));
    this.#hint = h("span", { id: "message-hint", class: "muted hint" });
    this.#error = h("div", { class: "error", role: "alert" });
    this.element = h("div", { class: "composer" }, this.#error, this.#chips, this.#box, h("div", { class: "buttons" }, this.#to, this.#send, this.#later, this.#cancel, this.#hint));
    this.#show();
    this.#grow();
  }

  /** Whether a turn runs, why nothing can be sent, and the commit that the agent began at. */
  set(works: boolean, closed?: string, base?: string): void {
    this.#works = works;
    this.#closed = closed;
    this.#base = base;
    this.#show();
  }

  focus(): void {
    this.#grow();
    this.#box.focus();
  }

  attach(parts: readonly Input[]): void {
    this.#draft.attached = [...this.#draft.attached, ...parts];
    this.#another();
    this.focus();
  }

  /** Takes what was not sent when the page was last there, unless something is attached already. */
  restore(draft: Draft | undefined): void {
    this.#restored = true;
    if (draft && !this.#touched) this.#replace(draft);
    this.#show();
    this.#grow();
  }

  /** Takes a waiting message into the box; what was being written comes back afterwards. */
  edit(itemId: string, input: readonly Input[]): void {
    const { text: words, attached, editing } = this.#draft;
    if (editing !== undefined && words.trim() !== "") this.history.add(words);
    const aside = editing !== undefined ? this.#draft.aside : words.trim() !== "" || attached.length > 0 ? this.#draft : undefined;
    const text = input.filter((part) => part.type === "text").map((part) => part.text).join("\n");
    this.#replace({ text, attached: input.filter((part) => part.type !== "text"), editing: itemId, ...(aside ? { aside } : {}) });
    this.#changed();
    this.#grow();
    this.focus();
  }

  /** The message that was being changed is no longer waiting: what was written is a new one. */
  gone(waiting: ReadonlySet<string>): void {
    if (this.#draft.editing === undefined || waiting.has(this.#draft.editing) || this.#sending) return;
    delete this.#draft.editing;
    this.#changed();
  }

  async send(how: How): Promise<void> {
    const draft = this.#draft;
    const { text, attached } = draft;
    const toNew = this.#toNew;
    if (this.#sending || (this.#closed !== undefined && !toNew) || (text.trim() === "" && attached.length === 0)) return;
    const { requestId = crypto.randomUUID() } = draft;
    if (!toNew && draft.requestId === undefined) [draft.requestId, draft.how] = [requestId, draft.editing === undefined ? how : "queue"];
    const input: Input[] = [...(text.trim() === "" ? [] : [{ type: "text" as const, text }]), ...attached];
    this.#sending = true;
    this.#fail(undefined);
    this.#changed();
    try {
      if (toNew) {
        if (!(await this.#wishes.create(input))) return;
        this.#to.value = "this";
      } else if (draft.editing !== undefined) await this.#wishes.edit(draft.editing, input, requestId);
      else await this.#wishes.send(input, draft.how ?? how, requestId);
      // What is in the form for a new agent is not sent yet.
      if (text.trim() !== "" && !toNew) this.history.add(text);
      // What came into the box while this was on its way stays there.
      if (this.#draft === draft) this.#next(draft.attached.filter((part) => !attached.includes(part)));
      else if (this.#draft.aside === draft) delete this.#draft.aside;
    } catch (error) {
      // It stays in the box. What may have been done all the same is asked for again under the same id, in the same way.
      const { message, hint, reason, unsure } = error instanceof Refused ? error : new Refused(String(error), undefined, undefined, true);
      if (!unsure) this.#forget(draft);
      if (reason === "ITEM_NOT_QUEUED" || reason === "NOT_QUEUED") delete draft.editing;
      this.#fail([message, hint].filter(Boolean).join(" · "));
    } finally {
      this.#sending = false;
      this.#changed();
      this.#grow();
    }
  }

  /** The message is for an agent that there is not yet. */
  get #toNew(): boolean {
    return this.#to.value === "new" && this.#draft.editing === undefined;
  }

  /** Other words, or something else that goes along, are another message. */
  #another(): void {
    this.#forget(this.#draft);
    this.#changed();
  }

  #forget(draft: Draft): void {
    delete draft.requestId;
    delete draft.how;
  }

  /** What was put aside comes back, and what came meanwhile goes along with it. */
  #next(came: readonly Input[] = []): void {
    const { text, attached, ...rest }: Draft = this.#draft.aside ?? { text: "", attached: [] };
    this.#replace({ text, attached: [...attached, ...came], ...(came.length === 0 ? rest : {}) });
  }

  #replace(draft: Draft): void {
    this.#draft = draft;
    this.#box.value = draft.text;
  }

  #typed(): void {
    this.#draft.text = this.#box.value;
    this.history.typed();
    this.#another();
    this.#grow();
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void this.send(event.altKey && this.#works ? "queue" : "guide");
      return;
    }
    if (event.key === "Escape" && !this.#cancel.hidden) {
      event.preventDefault();
      this.#stopEditing();
      return;
    }
    const text = walked(event, this.#box, this.history);
    if (text === undefined) return;
    event.preventDefault();
    this.#box.value = this.#draft.text = text;
    this.#box.setSelectionRange(text.length, text.length);
    this.#another();
    this.#grow();
  }

  #stopEditing(): void {
    this.#next();
    this.#fail(undefined);
    this.#changed();
    this.#grow();
    this.focus();
  }

  #fail(words: string | undefined): void {
    say(this.#error, words ?? "");
    show(this.#error, words !== undefined);
  }

  #changed(): void {
    this.#touched = true;
    this.#wishes.changed(this.#draft);
    this.#show();
  }

  #show(): void {
    const { text, attached, editing, aside } = this.#draft;
    const empty = text.trim() === "" && attached.length === 0;
    const toNew = this.#toNew;
    const closed = toNew ? undefined : this.#closed;
    say(this.#send, editing !== undefined ? t("Save") : toNew ? t("Create agent…") : this.#works ? t("Guide") : t("Send"));
    this.#send.title = toNew ? t("Opens the form for a new agent with this message (Enter)") : this.#works ? t("Stops what the agent does now; it goes on with this message (Enter)") : t("Sends the message (Enter)");
    this.#later.title = t("Sends the message when this turn has ended (Alt+Enter)");
    show(this.#to, editing === undefined);
    show(this.#later, this.#works && editing === undefined && !toNew);
    show(this.#cancel, editing !== undefined || aside !== undefined);
    this.#send.disabled = this.#later.disabled = empty || this.#sending || closed !== undefined;
    this.#box.readOnly = this.#sending || !this.#restored;
    this.#box.placeholder = toNew ? t("What shall the new agent do?") : closed ?? (this.#works ? t("Guide the agent, or give it something for after this turn") : t("What should the agent do next?"));
    say(this.#hint, this.#sending ? t("Sending…") : editing !== undefined ? t("Changing a waiting message") : t("Shift+Enter for a new line, ↑ for earlier messages"));
    show(this.#error, this.#error.textContent !== "");
    const drop = (index: number): void => {
      this.#draft.attached = this.#draft.attached.filter((_, at) => at !== index);
      this.#another();
      this.focus();
    };
    // Where a new one begins is known to its form.
    const elsewhere = (part: Input): boolean => !toNew && "commit" in part && part.commit !== undefined && this.#base !== undefined && part.commit !== this.#base;
    fill(this.#chips, attached.map((part, index) => chip(part, () => drop(index), elsewhere(part) ? "elsewhere" : null)));
    show(this.#chips, attached.length > 0);
  }

  #grow(): void {
    this.#box.style.height = "auto";
    // A box that is not on the page has no height yet.
    if (this.#box.scrollHeight > 0) this.#box.style.height = `${Math.min(this.#box.scrollHeight + 2, 240)}px`;
  }
}
