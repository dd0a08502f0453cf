// Markdown as elements. `marked` only cuts the text into tokens; every element is made here and every text is a text node, so
// HTML in a message is shown as the letters it is.

import { Lexer, type Token, type Tokens } from "marked";

import { visible } from "./escapes.js";
import { type Child, fill, h } from "./dom.js";

/** Where a link may lead. */
const SCHEMES = /^(?:https?|mailto):/i;
/** Longer messages are shown as plain text: cutting them would hold up the page. */
const LONGEST = 300_000;

/** What a click on a link does. */
export interface Follow {
  url(url: string): void;
  /** A file of the workspace; lines count from zero. */
  file(path: string, line?: number): void;
}

/** A place that shows markdown which grows: blocks that did not change stay as they are. */
export class Markdown {
  readonly element: HTMLElement;
  #blocks: { raw: string; node: Node }[] = [];
  #text: string | undefined;

  constructor(
    readonly follow: Follow,
    text = "",
  ) {
    this.element = h("div", { class: "markdown" });
    this.update(text);
  }

  update(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    const tokens: Token[] =
      text.length > LONGEST ? [{ type: "code", raw: text, text }] : new Lexer({ gfm: true }).lex(text);
    this.#blocks = tokens
      .filter((token) => token.type !== "space" && token.type !== "def")
      .map((token, index) => {
        const before = this.#blocks[index];
        return before?.raw === token.raw ? before : { raw: token.raw, node: block(token, this.follow) };
      });
    fill(
      this.element,
      this.#blocks.map((one) => one.node),
    );
  }
}

function block(token: Token, follow: Follow): Node {
  switch (token.type) {
    case "heading": {
      // A message stands below the headings of the page.
      const level = Math.min(6, (token as Tokens.Heading).depth + 2) as 3 | 4 | 5 | 6;
      return h(`h${level}`, {}, ...inline(token, follow));
    }
    case "paragraph":
      return h("p", {}, ...inline(token, follow));
    case "code":
      return code(token as Tokens.Code);
    case "blockquote":
      return h("blockquote", {}, ...blocks(token.tokens, follow));
    case "list":
      return list(token as Tokens.List, follow);
    case "table":
      return table(token as Tokens.Table, follow);
    case "hr":
      return h("hr");
    case "text":
      return h("span", {}, ...inline(token, follow));
    default:
      // HTML and what a newer version knows: the letters.
      return h("p", {}, visible(token.raw.trimEnd()));
  }
}

function blocks(tokens: Token[] | undefined, follow: Follow): Node[] {
  return (tokens ?? []).filter((token) => token.type !== "space").map((token) => block(token, follow));
}

function code(token: Tokens.Code): HTMLElement {
  return h("pre", { class: "code", tabindex: 0, "data-language": token.lang || undefined }, h("code", {}, visible(token.text)));
}

function list(token: Tokens.List, follow: Follow): HTMLElement {
  const items = token.items.map((item) => {
    const mark = item.task && h("span", { class: "task", role: "img", "aria-label": item.checked ? "done" : "open" }, item.checked ? "☑ " : "☐ ");
    return h("li", {}, mark, ...blocks(item.tokens.filter((inner) => (inner.type) !== "checkbox"), follow));
  });
  if (!token.ordered) return h("ul", {}, ...items);
  return h("ol", { start: token.start === "" ? undefined : token.start }, ...items);
}

function table(token: Tokens.Table, follow: Follow): HTMLElement {
  const head = token.header.map((cell) => h("th", { scope: "col" }, ...inlines(cell.tokens, follow)));
  const rows = token.rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, ...inlines(cell.tokens, follow)))));
  return h("div", { class: "scroll", tabindex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
}

function inline(token: Token, follow: Follow): Child[] {
  const inner = "tokens" in token ? (token.tokens as Token[] | undefined) : undefined;
  if (inner === undefined) return [visible("text" in token ? unescape(String(token.text)) : token.raw)];
  return inlines(inner, follow);
}

function inlines(tokens: Token[], follow: Follow): Child[] {
  return tokens.map((token): Child => {
    switch (token.type) {
      case "strong":
        return h("strong", {}, ...inline(token, follow));
      case "em":
        return h("em", {}, ...inline(token, follow));
      case "del":
        return h("del", {}, ...inline(token, follow));
      case "codespan":
        return h("code", {}, visible((token as Tokens.Codespan).text));
      case "br":
        return h("br");
      case "link":
        return link(token as Tokens.Link, inline(token, follow), follow);
      case "image":
        // Pictures from elsewhere are never fetched.
        return link(token as Tokens.Image, [visible((token as Tokens.Image).text || (token as Tokens.Image).href)], follow);
      case "escape":
        return visible((token as Tokens.Escape).text);
      case "text":
        return "tokens" in token && token.tokens ? h("span", {}, ...inline(token, follow)) : visible(unescape((token as Tokens.Text).text));
      default:
        return visible(token.raw);
    }
  });
}

function link(token: { href: string }, children: Child[], follow: Follow): Child {
  const title = visible(token.href);
  if (SCHEMES.test(token.href)) {
    const go = (event: Event): void => {
      event.preventDefault();
      // The editor would follow it too.
      event.stopPropagation();
      follow.url(token.href);
    };
    return h("a", { href: token.href, title, rel: "noreferrer", onclick: go, onauxclick: go }, ...children);
  }
  const file = fileOf(token.href);
  if (file === undefined) return h("span", { class: "dead-link", title }, ...children);
  return h("button", { type: "button", class: "link", title, onclick: () => follow.file(file.path, file.line) }, ...children);
}

/** The file of the workspace that a link means: `src/a.ts`, `/workspace/src/a.ts:12`, `a.ts#L12-L20`. */
export function fileOf(href: string): { path: string; line?: number } | undefined {
  let plain = href;
  try {
    plain = decodeURIComponent(href);
  } catch {
    // A name with a % in it.
  }
  const [, path, byMark, byColon] = /^(?:(?:file:\/\/)?\/workspace\/|\.\/)?([^/:#?\\][^:#?\\]*)(?:#L(\d+)\S*|:(\d+)[\d:-]*)?$/.exec(plain) ?? [];
  if (path === undefined || path.split("/").includes("..")) return undefined;
  const line = Number(byMark ?? byColon ?? 0) - 1;
  return line >= 0 ? { path, line } : { path };
}

/** The five entities that `marked` leaves in texts. */
function unescape(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "");
}
