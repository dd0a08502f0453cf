// Waiting for what is nowhere announced.

import assert from "node:assert/strict";

/** How long anything may take before a test gives up: far more than it needs on a busy machine. */
export const LIMIT = 60_000;

/** Asks again and again until there is an answer that is true; gives it. */
export async function until(what, ask) {
  for (const began = Date.now(); ; ) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() - began < LIMIT, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
