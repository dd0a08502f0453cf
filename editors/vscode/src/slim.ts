// Items for the panel: what is large is left out, and read when it is asked for.

import type { Shown } from "../webview/messages.js";
import type { Event, FileDiff, Item } from "./protocol.js";

/** Letters of a command's output that the panel begins with. */
const OUTPUT = 8 * 1024;
/** Letters of arguments and results together. */
const TOOL = 4 * 1024;

export function slim(item: Item): Shown {
  switch (item.type) {
    case "commandExecution":
      if (item.output.length <= OUTPUT) return item;
      return { ...item, output: item.output.slice(-OUTPUT), truncated: true };
    case "fileChange":
      return { ...item, changes: item.changes.map(slimFile) };
    case "toolCall": {
      const size = (JSON.stringify(item.arguments)?.length ?? 0) + (JSON.stringify(item.result)?.length ?? 0);
      if (size <= TOOL) return item;
      return { ...without(item, "arguments", "result"), slim: true };
    }
    default:
      return item;
  }
}

export function slimEvent(event: Event): Event {
  return event.type === "itemStarted" || event.type === "itemCompleted" ? { ...event, item: slim(event.item) } : event;
}

function slimFile(file: FileDiff): FileDiff {
  return without(file, "patch", "oldText", "newText");
}

function without<T extends object, K extends keyof T>(whole: T, ...names: K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(whole).filter(([name]) => !names.includes(name as K))) as Omit<T, K>;
}
