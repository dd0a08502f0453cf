// One agent as a card. Parts stay the same elements, so that what has the focus keeps it while the card changes.

import { needsAccount } from "./account.js";
import { fill, h, say, show } from "./dom.js";
import { visible } from "./escapes.js";
import { t } from "./l10n.js";
import type { Card, Verb } from "./messages.js";
import { stat, stepRows } from "./parts.js";
import { age, diffLabel, files, state, tone, usage, works } from "./words.js";

export interface CardWishes {
  verb(verb: Verb, threadId: string): void;
  follow(url: string): void;
}

type Name = "open" | "connect" | "stop" | "review" | "ssh" | "ports" | "createPullRequest" | "resume" | "retry" | "mute" | "unmute" | "delete";

export class CardView {
  readonly element: HTMLElement;
  readonly #title: HTMLButtonElement;
  readonly #state = h("span", { class: "badge" });
  readonly #facts = h("div", { class: "muted facts" });
  readonly #doing = h("div", { class: "doing" });
  readonly #steps = h("ul", { class: "steps" });
  readonly #size = h("div", { class: "size" });
  readonly #error = h("div", { class: "error" });
  readonly #buttons: Record<Name, HTMLButtonElement>;
  readonly #link = h("a", { href: "#" });
  #card: Card;

  constructor(card: Card, wishes: CardWishes) {
    this.#card = card;
    const { id } = card.thread;
    const button = (name: Name, label: string, kind = "secondary"): HTMLButtonElement =>
      h("button", { type: "button", class: kind, "data-verb": name, onclick: () => wishes.verb(name, id) }, label);
    this.#buttons = {
      open: button("open", t("Open"), "primary"),
      connect: button("connect", t("Connect…"), "primary"),
      stop: button("stop", t("Stop")),
      review: button("review", t("Review")),
      ssh: button("ssh", t("SSH")),
      ports: button("ports", t("Ports")),
      createPullRequest: button("createPullRequest", t("Create PR")),
      resume: button("resume", t("Resume")),
      retry: button("retry", t("Retry")),
      mute: button("mute", t("Mute")),
      unmute: button("unmute", t("Unmute")),
      delete: button("delete", t("Delete")),
    };
    this.#title = h("button", { type: "button", class: "link title", onclick: () => wishes.verb("open", id) });
    this.#link.addEventListener("click", (event) => {
      event.preventDefault();
      const url = this.#card.thread.pullRequest?.url;
      if (url) wishes.follow(url);
    });
    this.element = h(
      "li",
      { class: "card", "data-thread": id },
      h("div", { class: "head" }, h("h3", {}, this.#title), this.#state),
      this.#facts,
      this.#doing,
      this.#steps,
      this.#error,
      this.#size,
      h("div", { class: "buttons" }, ...Object.values(this.#buttons)),
    );
    this.set(card);
  }

  set(card: Card): void {
    this.#card = card;
    const { thread, doing, plan, question } = card;
    const title = visible(thread.title);
    say(this.#title, title);
    say(this.#state, state(thread));
    this.#state.className = `badge ${tone(thread)}`;
    this.element.className = `card ${tone(thread)}`;
    this.#facts.title = thread.createTime;
    say(this.#facts, [thread.repository.name, thread.branch, thread.agent, age(thread.createTime)].map(visible).join(" · "));
    const current = thread.state === "starting" ? thread.step : (question ?? doing);
    say(this.#doing, visible(current ?? ""));
    this.#doing.classList.toggle("question", question !== undefined);
    show(this.#doing, Boolean(current));
    // The step in work, with the one before and after it.
    const at = plan?.findIndex((step) => step.state === "inProgress") ?? -1;
    const near = plan && works(thread) ? plan.slice(Math.max(0, at - 1), Math.max(3, at + 2)) : [];
    fill(this.#steps, stepRows(near));
    show(this.#steps, near.length > 0);
    const problem = thread.error ? [thread.error.message, thread.error.hint].filter(Boolean).join(" · ") : "";
    say(this.#error, visible(problem));
    show(this.#error, problem !== "");
    const pull = thread.pullRequest;
    if (pull) say(this.#link, t("Pull request #{0} ({1})", pull.number, pull.state) + (pull.checks ? ` · ${visible(pull.checks)}` : ""));
    const size = thread.diff.files > 0 && h("span", { role: "img", "aria-label": diffLabel(thread.diff) }, `${files(thread.diff.files)} `, stat(thread.diff));
    const used = usage(thread.usage);
    const waiting = thread.queued > 0 && h("span", {}, thread.queued === 1 ? t("1 message waits") : t("{0} messages wait", thread.queued));
    fill(this.#size, [size, used !== "" && h("span", { class: "muted" }, used), waiting, pull && this.#link]);
    this.#show(title);
  }

  #show(title: string): void {
    const { thread } = this.#card;
    const shown: Record<Name, boolean> = {
      open: true,
      connect: needsAccount(thread.error?.reason),
      stop: works(thread) || thread.state === "starting",
      review: thread.diff.files > 0,
      ssh: thread.state !== "deleting" && thread.state !== "starting",
      ports: works(thread) || thread.state === "idle",
      createPullRequest: thread.diff.files > 0,
      resume: thread.state === "paused" || thread.state === "failed",
      retry: thread.state === "idle" && (thread.lastTurn?.state === "failed" || thread.lastTurn?.state === "interrupted"),
      mute: !thread.muted,
      unmute: thread.muted,
      delete: thread.state !== "deleting",
    };
    say(this.#buttons.createPullRequest, thread.pullRequest ? t("Update PR") : t("Create PR"));
    for (const [name, button] of Object.entries(this.#buttons)) {
      show(button, shown[name as Name]);
      button.setAttribute("aria-label", `${button.textContent ?? ""}: ${title}`);
    }
  }
}
