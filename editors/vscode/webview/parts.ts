// Small things that several views show.

import type { Input, PlanStep } from "../src/protocol.js";
import { h } from "./dom.js";
import { visible } from "./escapes.js";
import { t } from "./l10n.js";

/** The steps of a plan. */
export function stepRows(steps: readonly PlanStep[]): HTMLElement[] {
  return steps.map((step) => {
    const [sign, words] =
      step.state === "completed" ? ["✓", t("done")] : step.state === "inProgress" ? ["▸", t("in work")] : ["○", t("to do")];
    return h("li", { class: `step ${step.state}` }, h("span", { class: "sign", role: "img", "aria-label": words }, sign), h("span", {}, visible(step.text)));
  });
}

/** Lines added and removed. */
export function stat(size: { additions: number; deletions: number; binary?: boolean }): HTMLElement {
  if (size.binary) return h("span", { class: "stat muted" }, t("binary"));
  return h("span", { class: "stat" }, h("span", { class: "added" }, `+${size.additions}`), " ", h("span", { class: "deleted" }, `−${size.deletions}`));
}

/** Where a part comes from, in a few words. */
export function place(part: Extract<Input, { type: "file" | "selection" }>): string {
  const { path, range } = part;
  const commit = part.commit ? ` @ ${part.commit.slice(0, 8)}` : "";
  if (!range) return visible(path + commit);
  const [from, to] = [range.start.line + 1, range.end.line + (range.end.character > 0 || range.end.line === range.start.line ? 1 : 0)];
  const lines = from === to ? `${path}:${from}` : `${path}:${from}-${to}`;
  return visible(lines + commit);
}
