// What only an account at a forge or a model key does away with. These are the same lists for the extension and its pages.

import type { Agent } from "../src/protocol.js";

const ACCOUNT: readonly string[] = ["FORGE_ACCOUNT_MISSING", "FORGE_ACCOUNT_UNREADABLE", "FORGE_TOKEN_REFUSED", "FORGE_SCOPE_MISSING"];
const KEY: readonly string[] = ["NO_AGENT", "NO_MODEL_KEY", "AGENT_UNUSABLE", "MODEL_KEY_REJECTED", "MODEL_KEY_UNUSABLE"];

/** Whether another account, or its token anew, is what is needed. */
export function needsAccount(reason: string | undefined): boolean {
  return reason !== undefined && ACCOUNT.includes(reason);
}

/** Whether a model key is what is needed. */
export function needsKey(reason: string | undefined): boolean {
  return reason !== undefined && KEY.includes(reason);
}

/** Whether one of these agents thinks with a model, and can be used. */
export function thinks(agents: readonly Agent[]): boolean {
  return agents.some(({ usable, name }) => usable && name !== "shell");
}
