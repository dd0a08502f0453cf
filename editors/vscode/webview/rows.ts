// How each kind of item looks, and what opens when it is expanded.

import type { FileDiff, Input, Item, Turn } from "../src/protocol.js";
import { render } from "./ansi.js";
import type { Conversation } from "./conversation.js";
import { type Child, add, fill, h, say, show } from "./dom.js";
import { visible } from "./escapes.js";
import { t } from "./l10n.js";
import type { RowView } from "./list.js";
import { type Follow, Markdown } from "./markdown.js";
import type { Shown, ThreadAsks, Verb } from "./messages.js";
import { Output } from "./output.js";
import { place, stat, stepRows } from "./parts.js";
import { bytes, duration, turnEnd } from "./words.js";

/** Letters of arguments and results that are shown; an editor shows more. */
const DETAIL = 100_000;
/** Lines of output under a command that is not expanded. */
const PREVIEW = 8;

/** What rows need of the page. */
export interface Page {
  conversation(): Conversation;
  ask<K extends keyof ThreadAsks>(method: K, params: ThreadAsks[K]["params"]): Promise<ThreadAsks[K]["result"]>;
  /** Does something and tells the person where it fails. */
  attempt(what: Promise<unknown>): void;
  verb(verb: Verb, turn?: number): void;
  isExpanded(key: string): boolean;
  expand(key: string, open: boolean): void;
}

type Of<T extends Item["type"]> = Extract<Shown, { type: T }>;

/** The view of a row, where there is such a row. */
export function draw(page: Page, key: string): RowView | undefined {
  const row = page.conversation().row(key);
  if (row === undefined) return undefined;
  if ("turn" in row) return turnRow(page, key);
  switch (row.item.type) {
    case "userMessage":
      return view<"userMessage">(page, key, userMessage);
    case "agentMessage":
      return view<"agentMessage">(page, key, agentMessage);
    case "reasoning":
      return view<"reasoning">(page, key, reasoning);
    case "plan":
      return view<"plan">(page, key, plan);
    case "commandExecution":
      return view<"commandExecution">(page, key, command);
    case "fileChange":
      return view<"fileChange">(page, key, fileChange);
    case "toolCall":
      return view<"toolCall">(page, key, toolCall);
    case "permission":
      return view<"permission">(page, key, permission);
    case "notice":
      return view<"notice">(page, key, notice);
    default:
      // Of a newer version: its state is all that is sure.
      return view<"notice">(page, key, (article) => (item) => say(article, t("{0} (this version cannot show it)", (item as Item).type)));
  }
}

type Draw<T extends Item["type"]> = (article: HTMLElement, page: Page, key: string) => (item: Of<T>) => void;

function view<T extends Item["type"]>(page: Page, key: string, build: Draw<T>): RowView {
  const element = h("article", { class: "row" });
  const set = build(element, page, key);
  const update = (): void => {
    const row = page.conversation().row(key);
    if (row === undefined || !("item" in row)) return;
    element.className = `row ${row.item.type} ${row.item.state}`;
    set(row.item as Of<T>);
  };
  update();
  return { element, update };
}

// ---- messages

const userMessage: Draw<"userMessage"> = (article, page, key) => {
  const parts = h("div", { class: "parts" });
  const from = h("div", { class: "from" });
  add(article, from, parts);
  let drawn: Input[] | undefined;
  return (item) => {
    const author = item.author === undefined || item.author === "local" ? t("You") : visible(item.author);
    article.setAttribute("aria-label", t("Message: {0}", author));
    // What a turn began with is what it is about.
    const delivery = item.delivery === "delivered" && !page.conversation().begins(key) ? t("delivered, not read yet") : "";
    say(from, [author, delivery].filter(Boolean).join(" · "));
    if (JSON.stringify(drawn) !== JSON.stringify(item.input)) fill(parts, inputs((drawn = item.input)));
  };
};

/** The parts of a message. */
export function inputs(parts: readonly Input[]): Child[] {
  return parts.map((part) => {
    switch (part.type) {
      case "text":
        return h("div", { class: "text" }, visible(part.text));
      case "image":
        return picture(part);
      case "file":
        return h("div", { class: "chip" }, place(part));
      case "selection":
        return h("figure", { class: "selection" }, h("figcaption", {}, place(part)), h("pre", { class: "code", tabindex: 0 }, visible(part.text)));
      default:
        return undefined;
    }
  });
}

function picture(part: Extract<Input, { type: "image" }>): Child {
  if (!/^image\/(?:png|jpeg|gif|webp)$/.test(part.mimeType)) return h("div", { class: "chip" }, visible(part.mimeType));
  return h("img", { class: "picture", alt: t("Attached picture"), src: `data:${part.mimeType};base64,${part.data}` });
}

function follow(page: Page): Follow {
  return {
    url: (url) => page.attempt(page.ask("openUrl", { url })),
    file: (path, line) => page.attempt(page.ask("openFile", line === undefined ? { path } : { path, line })),
  };
}

const agentMessage: Draw<"agentMessage"> = (article, page) => {
  article.setAttribute("aria-label", t("Message of the agent"));
  const text = new Markdown(follow(page));
  add(article, text.element);
  return (item) => text.update(item.text);
};

const reasoning: Draw<"reasoning"> = (article, page, key) => {
  article.setAttribute("aria-label", t("Thoughts of the agent"));
  const text = new Markdown(follow(page));
  const head = h("span", { class: "muted" });
  let newest: Of<"reasoning"> | undefined;
  const { details, isOpen } = expander(page, key, [head], () => (text.update(newest?.text ?? ""), text.element));
  add(article, details);
  return (item) => {
    newest = item;
    say(head, item.state === "inProgress" ? t("Thinking…") : t("Thought for {0}", duration(item.startTime, item.endTime)));
    if (isOpen()) text.update(item.text);
  };
};

const plan: Draw<"plan"> = (article) => {
  article.setAttribute("aria-label", t("Plan"));
  const steps = h("ul", { class: "steps" });
  add(article, h("div", { class: "from" }, t("Plan")), steps);
  return (item) => fill(steps, stepRows(item.steps));
};

// ---- actions

const command: Draw<"commandExecution"> = (article, page, key) => {
  const line = h("code", { class: "command" });
  const state = h("span", { class: "state" });
  const preview = h("pre", { class: "output", tabindex: 0, "aria-label": t("End of the output") });
  let newest: Of<"commandExecution"> | undefined;
  let whole: Output | undefined;
  const body = (): Node => {
    const facts = h("div", { class: "muted" }, t("in {0}", visible(newest?.cwd ?? "")));
    if (newest?.state === "inProgress") {
      whole = undefined;
      return h("div", {}, facts, live);
    }
    const source = {
      read: (offset: number, limit: number) => page.ask("output", { itemId: key, offset, limit }),
      open: () => page.attempt(page.ask("openOutput", { itemId: key })),
    };
    whole = new Output(source, newest?.outputBytes ?? 0);
    return h("div", {}, facts, whole.element);
  };
  const live = h("pre", { class: "output whole", tabindex: 0, "aria-label": t("Output") });
  const { details, isOpen, again } = expander(page, key, [h("span", { class: "prompt", "aria-hidden": "true" }, "$ "), line, state], body, () => set());
  add(article, details, preview);
  const set = (): void => {
    if (newest === undefined) return;
    show(preview, !isOpen() && newest.output !== "");
    if (!isOpen()) fill(preview, newest.output === "" ? [] : [render(lastLines(newest.output))]);
    else if (newest.state === "inProgress") fill(live, [render(newest.output)]);
    else if (whole === undefined && newest.outputBytes > 0) again();
  };
  return (item) => {
    newest = item;
    article.setAttribute("aria-label", t("Command {0}", visible(item.command.slice(0, 100))));
    say(line, visible(item.command));
    const asked = page.conversation().questions.some(({ itemId }) => itemId === key);
    say(state, asked ? t("waits for your answer") : commandState(item));
    set();
  };
};

function lastLines(output: string): string {
  const lines = output.replace(/\n$/, "").split("\n");
  return lines.slice(-PREVIEW).join("\n").slice(-4000);
}

function commandState(item: Of<"commandExecution">): string {
  const size = item.outputBytes > 4000 ? ` · ${bytes(item.outputBytes)}` : "";
  if (item.state === "inProgress") return t("running") + size;
  if (item.state === "declined") return t("not allowed");
  const took = duration(item.startTime, item.endTime);
  if (item.signal !== undefined) return t("ended by {0} after {1}", item.signal, took) + size;
  if (item.exitCode !== undefined && item.exitCode !== 0) return t("exit code {0} after {1}", item.exitCode, took) + size;
  if (item.state === "failed") return t("failed after {0}", took) + size;
  return took + size;
}

const fileChange: Draw<"fileChange"> = (article, page, key) => {
  const head = h("div", { class: "from" });
  const files = h("ul", { class: "files" });
  add(article, head, files);
  let drawn = "";
  return (item) => {
    article.setAttribute("aria-label", t("Change of files"));
    const who = item.author === "person" ? t("Changed by hand") : t("Changed");
    const words = item.state === "inProgress" ? t("Changing…") : item.state === "declined" ? t("Not allowed to change") : item.state === "failed" ? t("Failed to change") : who;
    say(head, words);
    const wanted = JSON.stringify(item.changes.map((file) => [file.path, file.status, file.additions, file.deletions]));
    if (wanted === drawn) return;
    drawn = wanted;
    fill(files, item.changes.map((file, index) => fileRow(file, () => page.attempt(page.ask("openDiff", { itemId: key, index })))));
  };
};

function fileRow(file: FileDiff, open: () => void): HTMLElement {
  const name = file.oldPath && file.oldPath !== file.path ? `${file.oldPath} → ${file.path}` : file.path;
  const letter = { added: "A", modified: "M", deleted: "D", renamed: "R", typeChanged: "T" }[file.status] ?? "?";
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "file", onclick: open },
      h("span", { class: `letter ${file.status}`, title: file.status }, letter),
      h("span", { class: "path" }, visible(name)),
      stat(file),
      h("span", { class: "sr-only" }, t("Open the diff")),
    ),
  );
}

const toolCall: Draw<"toolCall"> = (article, page, key) => {
  const title = h("span", { class: "title" });
  const state = h("span", { class: "state" });
  let newest: Of<"toolCall"> | undefined;
  const body = h("div", { class: "tool" });
  let read = "";
  const fillBody = (): Node => {
    const item = newest;
    if (item === undefined) return body;
    // A slim item lacks what it was called with: read the whole one.
    if (item.slim && read !== item.state) {
      read = item.state;
      fill(body, [h("p", { class: "muted" }, t("Reading…"))]);
      const asked = page.ask("item", { itemId: key }).then((whole) => fill(body, toolParts(whole as Of<"toolCall">, page, key)));
      page.attempt(asked);
    } else if (!item.slim) fill(body, toolParts(item, page, key));
    return body;
  };
  const { details, isOpen } = expander(page, key, [title, state], fillBody);
  add(article, details);
  return (item) => {
    newest = item;
    article.setAttribute("aria-label", t("Tool call {0}", visible(item.title)));
    say(title, visible(item.title));
    const where = [item.server, item.tool].filter(Boolean).join(" · ");
    const how = { inProgress: t("running"), failed: t("failed"), declined: t("not allowed"), completed: duration(item.startTime, item.endTime) }[item.state];
    say(state, [visible(where), how].filter(Boolean).join(" · "));
    if (isOpen()) fillBody();
  };
};

function toolParts(item: Of<"toolCall">, page: Page, key: string): Child[] {
  const part = (name: string, value: unknown, which: "arguments" | "result"): Child[] => {
    if (value === undefined) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    const cut = text.length > DETAIL;
    const open = h("button", { type: "button", class: "small", onclick: () => page.attempt(page.ask("openDetail", { itemId: key, part: which })) }, t("Open in an editor"));
    return [h("div", { class: "label" }, name, open), h("pre", { class: "code", tabindex: 0 }, render(cut ? `${text.slice(0, DETAIL)}\n…` : text))];
  };
  const parts = [...part(t("Arguments"), item.arguments, "arguments"), ...part(t("Result"), item.result, "result")];
  return parts.length > 0 ? parts : [h("p", { class: "muted" }, t("The agent told nothing more of it."))];
}

const permission: Draw<"permission"> = (article, page, key) => {
  const line = h("span", {});
  let detail = "";
  const { details } = expander(page, key, [line], () => h("pre", { class: "code", tabindex: 0 }, render(detail)));
  const plain = h("div", { class: "muted" });
  add(article, details, plain);
  return (item) => {
    article.setAttribute("aria-label", t("Question: {0}", visible(item.title)));
    detail = item.detail ?? "";
    const words = visible(`${answerWords(item)}: ${item.title}`);
    say(line, words);
    say(plain, words);
    // While it is open, its buttons and what it is about stand below the conversation, where they are always at hand.
    const expands = detail !== "" && detail !== item.title && item.state !== "inProgress";
    show(details, expands);
    show(plain, !expands);
  };
};

function answerWords(item: Of<"permission">): string {
  if (item.state === "inProgress" && item.answer === undefined) return t("Waits for your answer");
  const option = item.options.find(({ id }) => id === item.answer);
  if (option === undefined) return t("The question fell away");
  const by = item.answeredBy && item.answeredBy !== "local" ? t(" by {0}", item.answeredBy) : "";
  return t("Answered “{0}”", option.label) + by;
}

/** An open question with its buttons. */
export function question(item: Of<"permission">, answer: (optionId: string) => void): HTMLElement {
  const buttons = item.options.map((option, index) => {
    const primary = option.kind === "allowOnce";
    return h(
      "button",
      { type: "button", class: primary ? "primary" : "secondary", "data-option": option.id, "data-kind": option.kind, onclick: () => answer(option.id), "data-index": index },
      visible(option.label),
    );
  });
  return h(
    "section",
    { class: "ask", role: "group", "aria-label": t("The agent asks: {0}", visible(item.title)), "data-item": item.id },
    h("div", { class: "title" }, visible(item.title)),
    item.detail && item.detail !== item.title && h("pre", { class: "code", tabindex: 0 }, render(item.detail.slice(0, 20_000))),
    h("div", { class: "buttons" }, ...buttons),
  );
}

const notice: Draw<"notice"> = (article, page) => {
  const sign = h("span", { class: "sign", role: "img" });
  const text = new Markdown(follow(page));
  const hint = h("div", { class: "muted" });
  add(article, sign, h("div", {}, text.element, hint));
  return (item) => {
    const level = item.error || item.state === "failed" ? "error" : item.level;
    article.classList.add(level);
    const [letter, word] = level === "error" ? ["✕", t("Error")] : level === "warning" ? ["!", t("Warning")] : ["i", t("Note")];
    say(sign, letter);
    sign.setAttribute("aria-label", word);
    article.setAttribute("aria-label", word);
    text.update(item.text);
    const more = [item.error && !item.text.includes(item.error.message) ? item.error.message : "", item.error?.hint].filter(Boolean).join(" · ");
    say(hint, visible(more));
    show(hint, more !== "");
  };
};

// ---- the end of a turn

function turnRow(page: Page, key: string): RowView {
  const words = h("span", {});
  const why = h("span", { class: "why" });
  const review = h("button", { type: "button", class: "link", onclick: () => number !== undefined && page.verb("review", number) }, t("Review its changes"));
  const rewind = h("button", { type: "button", class: "link", onclick: () => number !== undefined && page.verb("rewind", number) }, t("Rewind to here"));
  const fork = h("button", { type: "button", class: "link", onclick: () => number !== undefined && page.verb("fork", number) }, t("Fork from here"));
  const element = h("article", { class: "row turn-end" }, words, why, h("span", { class: "buttons" }, review, fork, rewind));
  let number: number | undefined;
  const update = (): void => {
    const row = page.conversation().row(key);
    const turn: Turn | undefined = row && "turn" in row ? row.turn : undefined;
    if (turn === undefined) return;
    number = turn.number;
    element.className = `row turn-end ${turn.state}`;
    element.setAttribute("aria-label", turnEnd(turn));
    say(words, visible(turnEnd(turn)));
    const problem = turn.error ? [turn.error.message, turn.error.hint].filter(Boolean).join(" · ") : "";
    say(why, visible(problem));
    show(why, problem !== "");
    for (const button of [review, rewind, fork]) show(button, turn.commit !== undefined);
  };
  update();
  return { element, update };
}

// ---- expanding

function expander(page: Page, key: string, head: Child[], body: () => Node, toggled?: () => void): { details: HTMLDetailsElement; isOpen: () => boolean; again: () => void } {
  const inside = h("div", { class: "inside" });
  const details = h("details", {}, h("summary", {}, ...head), inside);
  const again = (): void => fill(inside, [body()]);
  let drawn = false;
  const open = (): void => {
    if (drawn === details.open) return;
    drawn = details.open;
    if (drawn) again();
    else fill(inside, []);
  };
  details.addEventListener("toggle", () => {
    page.expand(key, details.open);
    open();
    toggled?.();
  });
  if (page.isExpanded(key)) {
    details.open = true;
    // What it shows is known only after the first update.
    queueMicrotask(() => {
      open();
      toggled?.();
    });
  }
  return { details, isOpen: () => details.open && drawn, again };
}
