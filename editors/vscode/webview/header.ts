// The head of the thread panel: what the thread is, how it stands, and what can be done with it.

import type { Thread, Turn } from "../src/protocol.js";
import { visible } from "./escapes.js";
import { fill, h, say, show } from "./dom.js";
import { t } from "./l10n.js";
import type { Verb } from "./messages.js";
import { stat } from "./parts.js";
import { diffLabel, files, state, tone, usage, works } from "./words.js";
import { needsAccount } from "./account.js";

export class Header {
  readonly element: HTMLElement;
  readonly #title = h("h1", {});
  readonly #state = h("span", { class: "badge" });
  readonly #facts = h("div", { class: "facts muted" });
  readonly #error = h("div", { class: "error" });
  readonly #buttons: Record<"stop" | "finish" | "review" | "apply" | "ssh" | "createPullRequest" | "connect" | "resume" | "retry" | "mode", HTMLButtonElement>;
  readonly #issue = h("a", { href: "#" });
  readonly #pull = h("a", { href: "#" });
  #thread: Thread | undefined;

  constructor(verb: (verb: Verb) => void, follow: (url: string) => void) {
    const button = (name: Verb, label: string, title: string, kind = "secondary"): HTMLButtonElement =>
      h("button", { type: "button", class: kind, title, onclick: () => verb(name), "data-verb": name }, label);
    this.#buttons = {
      stop: button("stop", t("Stop"), t("Stop the turn now"), "stop"),
      finish: button("finish", t("Finish up"), t("Let the agent wrap up in one short turn, then stop")),
      retry: button("retry", t("Retry"), t("The failed or stopped turn again")),
      connect: button("connect", t("Connect…"), t("Connect an account at the forge of its repository"), "primary"),
      resume: button("resume", t("Resume"), t("Start the sandbox again")),
      review: button("review", t("Review"), t("Open the diff of all its changes")),
      apply: button("apply", t("Apply"), t("Bring the changes into your local checkout")),
      ssh: button("ssh", t("SSH"), t("Open the sandbox in a new window")),
      createPullRequest: button("createPullRequest", t("Create PR"), t("Create or update the pull request")),
      mode: button("mode", "", t("Change whether the agent asks before each action")),
    };
    const leads = (link: HTMLElement, to: (thread: Thread) => string | undefined) =>
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const url = this.#thread && to(this.#thread);
        if (url) follow(url);
      });
    leads(this.#issue, ({ issue }) => issue?.url);
    leads(this.#pull, ({ pullRequest }) => pullRequest?.url);
    const more = h("button", { type: "button", class: "icon", title: t("More…"), "aria-label": t("More actions"), onclick: () => verb("more") }, "⋯");
    this.element = h(
      "header",
      {},
      h("div", { class: "line" }, this.#title, this.#state, h("div", { class: "buttons", role: "toolbar", "aria-label": t("Actions") }, ...Object.values(this.#buttons), more)),
      this.#facts,
      this.#error,
    );
    show(this.element, false);
  }

  set(thread: Thread, running: Turn | undefined): void {
    this.#thread = thread;
    show(this.element, true);
    say(this.#title, visible(thread.title));
    this.#title.title = visible(thread.title);
    say(this.#state, thread.state === "starting" && thread.step ? visible(`${state(thread)}: ${thread.step}`) : state(thread));
    this.#state.className = `badge ${tone(thread)}`;
    const used = usage(thread.usage);
    const { issue, pullRequest: pull } = thread;
    if (issue) say(this.#issue, t("Issue {0}", visible(issue.key)));
    if (pull) say(this.#pull, t("Pull request #{0} ({1})", pull.number, pull.state) + (pull.checks ? ` · ${pull.checks}` : ""));
    const size = thread.diff.files > 0 && h("span", { "aria-label": diffLabel(thread.diff), role: "img" }, `${files(thread.diff.files)} `, stat(thread.diff));
    const facts = [visible(thread.repository.name), visible(thread.branch), visible(thread.agent) + (thread.model ? ` (${visible(thread.model)})` : ""), size, used, issue && this.#issue, pull && this.#pull];
    fill(
      this.#facts,
      facts.filter(Boolean).flatMap((fact, index) => (index === 0 ? [fact] : [h("span", { "aria-hidden": "true" }, " · "), fact])).map((fact) => (typeof fact === "string" ? h("span", {}, fact) : fact)),
    );
    const working = works(thread);
    const { stop, finish, retry, resume, review, apply, ssh, createPullRequest, connect, mode } = this.#buttons;
    show(stop, working || thread.state === "starting");
    show(finish, thread.state === "running" && running !== undefined);
    show(retry, thread.state === "idle" && (thread.lastTurn?.state === "failed" || thread.lastTurn?.state === "interrupted"));
    show(connect, needsAccount(thread.error?.reason));
    show(resume, thread.state === "paused" || thread.state === "failed");
    show(review, thread.diff.files > 0);
    show(apply, thread.diff.files > 0 && thread.repository.path !== undefined);
    show(ssh, thread.state !== "deleting" && thread.state !== "starting");
    show(createPullRequest, thread.diff.files > 0);
    say(createPullRequest, pull ? t("Update PR") : t("Create PR"));
    say(mode, thread.mode === "auto" ? t("Mode: auto") : t("Mode: manual"));
    const problem = thread.error ? [thread.error.message, thread.error.hint].filter(Boolean).join(" · ") : "";
    say(this.#error, visible(problem));
    show(this.#error, problem !== "");
  }
}
