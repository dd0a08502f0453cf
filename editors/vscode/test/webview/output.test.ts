import { expect, test } from "vitest";

import { Output, join } from "../../webview/output.js";

test("a character cut by the border of two pages is whole", () => {
  const bytes = new TextEncoder().encode("aü€😀z");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const end = join([bytes.slice(cut)], new Uint8Array(), cut === 0);
    const begin = join([bytes.slice(0, cut)], end.rest, true);
    expect(begin.text + end.text).toBe("aü€😀z");
  }
});

test("bytes that are no text are shown as such", () => {
  expect(join([Uint8Array.from([0xff, 0x61])], new Uint8Array(), true).text).toBe("\ufffda");
});

test("the end of an output is read first, what is before it on demand", async () => {
  const text = Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join("");
  const bytes = new TextEncoder().encode(text);
  const asked: number[] = [];
  const source = {
    read: async (offset: number, limit: number) => {
      asked.push(offset);
      const part = bytes.slice(offset, Math.min(offset + Math.min(limit, 50_000), bytes.length));
      return { data: Buffer.from(part).toString("base64"), nextOffset: offset + part.length, totalBytes: bytes.length };
    },
    open: () => undefined,
  };
  const output = new Output(source, bytes.length);
  const shown = (): string => output.element.querySelector("pre")?.textContent ?? "";
  await expect.poll(shown).toContain("line 19999");
  expect(shown().length).toBeLessThanOrEqual(64 * 1024);
  while (shown().length < text.length) await output.earlier();
  expect(shown()).toBe(text);
  await output.earlier();
  expect(shown()).toBe(text);
});
