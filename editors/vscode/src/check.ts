// What a page sends is checked before it is used.

import type { Input } from "./protocol.js";

export function string(value: unknown, name: string): string {
  if (typeof value !== "string") throw new TypeError(`${name} is a text`);
  return value;
}

export function whole(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new TypeError(`${name} is a whole number`);
  return value;
}

export function oneOf<T extends string>(value: unknown, names: readonly T[], name: string): T {
  const found = names.find((one) => one === value);
  if (found === undefined) throw new TypeError(`${name} is one of ${names.join(", ")}`);
  return found;
}

/** Parts of a message; what is in them is the bridge's to check. */
export function inputs(value: unknown): Input[] {
  const known = ["text", "image", "file", "selection"];
  if (!Array.isArray(value) || !value.every((part: unknown) => typeof part === "object" && part !== null && "type" in part && known.includes(String(part.type)))) {
    throw new TypeError("a message is a list of its parts");
  }
  return value as Input[];
}

/** An address that may be opened. */
export function link(value: unknown): string {
  const url = string(value, "url");
  if (!/^(?:https?|mailto):/i.test(url)) throw new TypeError(`addresses like ${JSON.stringify(url.slice(0, 40))} are not opened`);
  return url;
}
