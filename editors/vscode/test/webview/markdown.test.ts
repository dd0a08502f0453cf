import { expect, test, vi } from "vitest";

import { fileOf, Markdown } from "../../webview/markdown.js";

const none = { url: (): void => undefined, file: (): void => undefined };
const drawn = (text: string): HTMLElement => new Markdown(none, text).element;

test("the usual forms become elements", () => {
  const text = "# Head\n\nA *b* **c** ~~d~~ `e` &amp; <\n\n- one\n- [x] two\n\n3. three\n\n> said\n\n```js\nlet a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n";
  const element = drawn(text);
  expect(element.querySelector("h3")?.textContent).toBe("Head");
  expect([...element.querySelectorAll("em, strong, del, p > code")].map((one) => one.textContent)).toEqual(["b", "c", "d", "e"]);
  expect(element.querySelector("p")?.textContent).toBe("A b c d e & <");
  expect(element.querySelectorAll("ul > li")).toHaveLength(2);
  expect(element.querySelector(".task")?.getAttribute("aria-label")).toBe("done");
  expect(element.querySelector("ol")?.getAttribute("start")).toBe("3");
  expect(element.querySelector("blockquote")?.textContent).toBe("said");
  expect(element.querySelector("pre")?.textContent).toBe("let a = 1 < 2;");
  expect([...element.querySelectorAll("th, td")].map((one) => one.textContent)).toEqual(["a", "b", "1", "2"]);
  expect(element.querySelector("hr")).not.toBeNull();
});

test("HTML is shown, never made", () => {
  const element = drawn('<img src=x onerror=alert(1)>\n\nsee <b onclick="x()">this</b> and <script>alert(1)</script>\n\n<iframe src="https://evil.test"></iframe>');
  expect(element.querySelectorAll("img, b, script, iframe")).toHaveLength(0);
  expect(element.textContent).toContain("<img src=x onerror=alert(1)>");
  expect(element.textContent).toContain('<b onclick="x()">');
});

test("only addresses of the web are links, and they are opened by the extension", () => {
  const follow = { url: vi.fn(), file: vi.fn() };
  const text = "[a](javascript:alert(1)) [b](command:workbench.action.quit) [c](https://example.test/x) [d](data:text/html,x) [e](vscode://x) ![p](https://example.test/p.png)";
  const { element } = new Markdown(follow, text);
  expect([...element.querySelectorAll("a")].map((link) => link.getAttribute("href"))).toEqual(["https://example.test/x", "https://example.test/p.png"]);
  expect(element.querySelectorAll("img")).toHaveLength(0);
  const click = new MouseEvent("click", { bubbles: true, cancelable: true });
  element.querySelector("a")?.dispatchEvent(click);
  expect(click.defaultPrevented).toBe(true);
  expect(follow.url).toHaveBeenCalledExactlyOnceWith("https://example.test/x");
});

test("a link to a file of the workspace is opened at its line", () => {
  const follow = { url: vi.fn(), file: vi.fn() };
  const { element } = new Markdown(follow, "[here](src/a%20b.ts#L12-L20) and [there](/etc/passwd)");
  element.querySelector("button")?.click();
  expect(follow.file).toHaveBeenCalledExactlyOnceWith("src/a b.ts", 11);
  expect(element.querySelector(".dead-link")?.textContent).toBe("there");
  expect(fileOf("/workspace/src/a.ts:3:7")).toEqual({ path: "src/a.ts", line: 2 });
  expect(fileOf("file:///workspace/./a.ts")).toEqual({ path: "./a.ts" });
  expect(fileOf("./README.md")).toEqual({ path: "README.md" });
  for (const other of ["../up", "a/../../up", "/etc/passwd", "#part", "", "x:y", "C:\\a", "file:///etc/passwd", "?q"]) expect(fileOf(other), other).toBeUndefined();
});

test("a link whose text turns its direction shows that", () => {
  expect(drawn("[go\u202egro.elpmaxe](https://evil.test)").textContent).toContain("⟨U+202E⟩");
});

test("while a message grows, finished blocks stay the same elements", () => {
  const markdown = new Markdown(none, "one\n\ntwo");
  const [first, second] = markdown.element.children;
  markdown.update("one\n\ntwo and more\n\nthree");
  expect(markdown.element.children[0]).toBe(first);
  expect(markdown.element.children[1]).not.toBe(second);
  expect(markdown.element.textContent).toBe("onetwo and morethree");
});

test("a message without end is plain text", () => {
  const element = drawn("*a* ".repeat(100_000));
  expect(element.querySelectorAll("em")).toHaveLength(0);
  expect(element.textContent).toContain("*a* *a*");
});
