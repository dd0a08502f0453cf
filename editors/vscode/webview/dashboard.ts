// The dashboard: all agents as cards, live.

import "./style.css";
import "./dashboard.css";

import type { Group } from "../src/groups.js";
import { groupName } from "../src/words.js";
import { CardView } from "./card.js";
import { Cards } from "./dashboard_state.js";
import { fill, h, say, show } from "./dom.js";
import { visible } from "./escapes.js";
import { t } from "./l10n.js";
import { Link, vscode } from "./link.js";
import type { DashboardAsks, DashboardTold, Trouble, Verb } from "./messages.js";

class Dashboard {
  readonly #api = vscode();
  readonly #link: Link<DashboardAsks, DashboardTold>;
  readonly #cards = new Cards();
  readonly #views = new Map<string, CardView>();
  readonly #sections = new Map<Group, { element: HTMLElement; head: HTMLElement; list: HTMLElement }>();
  readonly #search = h("input", { type: "search", "aria-label": t("Filter agents"), placeholder: t("Filter agents"), oninput: () => this.#filtered() });
  readonly #banner = h("div", { class: "banner", role: "alert" });
  readonly #empty = h("div", { class: "empty" }, t("Reading the list of agents…"));
  readonly #groups = h("div", {});
  readonly #live = h("div", { class: "sr-only", role: "status" });
  #loaded = false;
  #frame = 0;

  constructor() {
    this.#link = new Link<DashboardAsks, DashboardTold>(this.#api, {
      cards: ({ changed, gone, loaded }) => {
        this.#loaded = loaded;
        // The list of another cloud is not there yet.
        if (!loaded) this.#cards.reset([]);
        this.#cards.change(changed, gone);
        for (const id of gone) this.#views.delete(id);
        this.#later();
      },
      trouble: (trouble) => this.#trouble(trouble ?? undefined),
    });
    const stored = this.#api.getState();
    if (typeof stored === "object" && stored !== null && "query" in stored && typeof stored.query === "string") this.#search.value = stored.query;
    const create = h("button", { type: "button", class: "primary", onclick: () => this.#verb("create") }, t("Create agent"));
    show(this.#banner, false);
    const app = document.getElementById("app") ?? document.body;
    fill(app, [h("main", { class: "dashboard" }, h("header", {}, h("h1", {}, t("Agents")), this.#search, create), this.#banner, this.#empty, this.#groups, this.#live)]);
  }

  async open(): Promise<void> {
    try {
      const { cards, loaded, trouble } = await this.#link.ask("ready", {});
      this.#loaded = loaded;
      this.#cards.reset(cards);
      this.#trouble(trouble);
      this.#show();
    } catch (error) {
      this.#trouble(error as Trouble);
    }
  }

  #verb(verb: Verb, threadId?: string): void {
    this.#link.ask("verb", threadId === undefined ? { verb } : { verb, threadId }).catch((error: unknown) => this.#trouble(error as Trouble));
  }

  #filtered(): void {
    this.#api.setState({ query: this.#search.value });
    this.#show();
  }

  #later(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(): void {
    const query = this.#search.value.trim();
    const groups = this.#cards.groups(query);
    fill(
      this.#groups,
      groups.map(([group, cards]) => {
        const section = this.#section(group);
        say(section.head, `${groupName(group, t)} (${cards.length})`);
        fill(section.list, cards.map((card) => {
          let view = this.#views.get(card.thread.id);
          if (view === undefined) {
            const wishes = {
              verb: (verb: Verb, id: string) => this.#verb(verb, id),
              follow: (url: string) => void this.#link.ask("openUrl", { url }).catch((error: unknown) => this.#trouble(error as Trouble)),
            };
            this.#views.set(card.thread.id, (view = new CardView(card, wishes)));
          }
          view.set(card);
          return view.element;
        }));
        return section.element;
      }),
    );
    const needs = groups.find(([group]) => group === "needsYou")?.[1].length ?? 0;
    say(this.#live, needs === 0 ? "" : needs === 1 ? t("1 agent needs you") : t("{0} agents need you", needs));
    const none = groups.length === 0;
    if (none) {
      const words = !this.#loaded ? t("Reading the list of agents…") : this.#cards.size > 0 ? t("No agent fits this filter.") : t("No agents yet. Create one and it works in a sandbox of its own.");
      say(this.#empty, words);
    }
    show(this.#empty, none);
  }

  #section(group: Group): { element: HTMLElement; head: HTMLElement; list: HTMLElement } {
    let section = this.#sections.get(group);
    if (section === undefined) {
      const head = h("h2", { id: `group-${group}` });
      const list = h("ul", { class: "cards", "aria-labelledby": `group-${group}` });
      section = { head, list, element: h("section", { class: `group ${group}`, "aria-labelledby": `group-${group}` }, head, list) };
      this.#sections.set(group, section);
    }
    return section;
  }

  #trouble(trouble: Trouble | undefined): void {
    say(this.#banner, trouble ? visible([trouble.message, trouble.hint].filter(Boolean).join(" · ")) : "");
    show(this.#banner, trouble !== undefined);
  }
}

void new Dashboard().open();
