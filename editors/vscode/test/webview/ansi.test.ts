import { describe, expect, test } from "vitest";

import { render, spans } from "../../webview/ansi.js";
import { plain, visible } from "../../webview/escapes.js";

function drawn(output: string): HTMLElement {
  const element = document.createElement("pre");
  element.append(render(output));
  return element;
}

describe("output of commands", () => {
  test("colours become classes of the theme", () => {
    const element = drawn("\x1b[1;31mred\x1b[0m plain \x1b[92;44mgreen\x1b[39m blue back\x1b[m");
    expect(element.textContent).toBe("red plain green blue back");
    const classes = [...element.querySelectorAll("span")].map((span) => span.className);
    expect(classes).toEqual(["ansi-bold ansi-front-1", "ansi-front-10 ansi-back-4", "ansi-back-4"]);
  });

  test("of the 256 colours the first are the theme's, and true colours are kept", () => {
    expect(spans("\x1b[38;5;9ma")[0]?.style.front).toBe(9);
    expect(spans("\x1b[38;5;196ma")[0]?.style.front).toBe("rgb(255, 0, 0)");
    expect(spans("\x1b[48;2;1;2;3ma")[0]?.style.back).toBe("rgb(1, 2, 3)");
    expect(spans("\x1b[38;5;999ma\x1b[38;2;1ma")[0]?.style.front).toBeUndefined();
  });

  test("nothing but text is left of what would do something", () => {
    const hostile = [
      "\x1b]0;title\x07", "\x1b]8;;https://evil.test\x1b\\link\x1b]8;;\x1b\\", "\x1b]52;c;ZXZpbA==\x07", "\x1b[2J\x1b[H", "\x1bP1$r0m\x1b\\",
      "\x9b31m", "\x1b[?1049h", "\x1bc", "\x00\x07\x7f", "\x1b[",
    ];
    expect(drawn(hostile.join("")).textContent).toBe("link");
    expect(plain(hostile.join(""))).toBe("link");
    // One that never ends hides no more than its line.
    expect(drawn("\x1b]0;hidden\nseen").textContent).toBe("\nseen");
  });

  test("HTML is the letters it is", () => {
    const element = drawn('<img src=x onerror="alert(1)"><script>1</script>\x1b[31m<b>');
    expect(element.querySelectorAll("img, script, b")).toHaveLength(0);
    expect(element.textContent).toContain("<script>");
  });

  test("lines that were written over show what was written last", () => {
    expect(plain("10%\r50%\r100%\ndone\r\n")).toBe("100%\ndone\n");
    expect(plain("abc\b\bx")).toBe("ax");
    expect(plain("waiting\r")).toBe("waiting");
  });

  test("characters that reorder or hide text are shown", () => {
    expect(visible("a\u202eb\u2066c\u200bd")).toBe("a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d");
    expect(drawn("x\u202ey").textContent).toBe("x⟨U+202E⟩y");
    expect(visible("שלום")).toBe("שלום");
  });

  test("a large output is drawn in no time", () => {
    const output = Array.from({ length: 20_000 }, (_, line) => `\x1b[${30 + (line % 8)}mline ${line}\x1b[0m`).join("\n");
    expect(spans(output).length).toBeGreaterThan(20_000);
  });
});
