// A journey: steps that go on where the one before left off, in one window.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LIMIT } from "./vscode.mjs";

/**
 * Gives what adds a step. After a step that failed the others are not tried: they would wait long for what cannot come.
 * @param {() => import("./world.mjs").Window | undefined} window of which a picture and its last warnings are kept where a step fails
 */
export function journey(window) {
  let failed;
  return (name, work) =>
    test(name, { timeout: 10 * LIMIT }, async () => {
      if (failed !== undefined) throw new Error(failed);
      try {
        await work();
      } catch (error) {
        failed = `not tried, because “${name}” failed: ${error.message}`;
        await window()?.shot(`failed-${name.replace(/\W+/g, "-").slice(0, 60)}`).catch(() => undefined);
        console.log(window()?.said.slice(-20).join("\n"));
        throw error;
      }
    });
}

/** Waits until something is so, and gives it. */
export async function until(what, holds) {
  for (const end = Date.now() + LIMIT; ; ) {
    const found = await holds();
    if (found) return found;
    assert.ok(Date.now() < end, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
