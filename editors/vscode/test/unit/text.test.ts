import { expect, test } from "vitest";

import { age, clean, iconless, plain } from "../../src/text.js";

test("what agents wrote cannot pretend to be something else", () => {
  expect(clean("a\u001b[31mred\u001b[0m\u001b]8;;http://x\u0007link\u001b]8;;\u0007\nb\u0000")).toBe("aredlink b");
  expect(clean("gpj.\u202eexe\u2066\u200b\u061c\u{e0041}")).toBe("gpj.exe");
  expect(clean("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")).toContain("\u200c");
  expect(clean("x".repeat(300))).toHaveLength(200);
});

test("messages get no links and no commands from a title", () => {
  expect(plain("[ok](command:workbench.action.quit)")).toBe("[ok] (command:workbench.action.quit)");
  expect(plain("[a]\u200b(command:x)")).not.toContain("](");
});

test("labels get no icons from a title", () => {
  expect(iconless("$(check) passed")).toBe("\\$(check) passed");
});

test.each([[0, "now"], [59, "now"], [60, "1m"], [3_599, "59m"], [3_600, "1h"], [86_400 * 12, "12d"], [-5, "now"]])(
  "%i seconds ago is %s",
  (seconds, told) => expect(age(new Date(1e12 - seconds * 1000).toISOString(), 1e12)).toBe(told),
);
