// What boxes for messages have in common: earlier messages by the arrow keys, pictures that are pasted, what goes along as chips.

import type { Input } from "../src/protocol.js";
import type { Stale } from "./create_messages.js";
import { h } from "./dom.js";
import type { History } from "./history.js";
import { t } from "./l10n.js";
import { place } from "./parts.js";

/** Pictures larger than this are refused. */
const PICTURE = 5 * 1024 * 1024;

/** What a key brings of earlier messages; undefined where it moves the cursor, or does something else. */
export function walked(event: KeyboardEvent, box: HTMLTextAreaElement, history: History): string | undefined {
  if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const { selectionStart, selectionEnd, value } = box;
  if (selectionStart !== selectionEnd) return undefined;
  if (event.key === "ArrowUp" && !value.slice(0, selectionStart).includes("\n")) return history.back(value);
  if (event.key === "ArrowDown" && !value.slice(selectionEnd).includes("\n")) return history.forward();
  return undefined;
}

/** Takes pictures out of what is pasted. */
export function pasted(event: ClipboardEvent, take: (picture: Input) => void, refuse: (words: string) => void): void {
  const pictures = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
  if (pictures.length === 0) return;
  event.preventDefault();
  for (const picture of pictures) {
    if (picture.size > PICTURE) {
      refuse(t("The picture is larger than 5 MB: attach a smaller one."));
      continue;
    }
    const reader = new FileReader();
    reader.onload = () => take({ type: "image", mimeType: picture.type, data: (reader.result as string).replace(/^[^,]*,/, "") });
    reader.readAsDataURL(picture);
  }
}

/** A part that goes along with a message, and can be taken off. */
export function chip(part: Input, drop: () => void, stale: Stale = null): HTMLElement {
  const name = part.type === "image" ? t("Picture") : part.type === "text" ? part.text : place(part);
  const words = stale === "changed" ? t("{0} (changed since)", name) : stale === "elsewhere" ? t("{0} (another commit)", name) : name;
  return h(
    "span",
    { class: stale ? "chip stale" : "chip", title: stale ? why(part, stale) : undefined },
    words,
    h("button", { type: "button", class: "icon", "aria-label": t("Remove {0}", name), onclick: drop }, "×"),
  );
}

function why(part: Input, stale: "changed" | "elsewhere"): string {
  const gets = part.type === "selection" ? t("The agent gets the text as it was.") : t("The agent reads the file in its own checkout.");
  const is = stale === "changed" ? t("What is there now is something else.") : t("The agent begins at another commit than the one this is of.");
  return `${is} ${gets}`;
}
