// A message to an agent: while a turn runs it guides, or waits for the turn's end; else it begins the next one.

import type { Bridge } from "./bridge.js";
import type { Input, TurnResult } from "./protocol.js";

export function send(bridge: Bridge, threadId: string, input: Input[], how: "guide" | "queue", requestId: string): Promise<TurnResult> {
  // A correction of no particular turn begins one where none runs.
  if (how === "guide") return bridge.request("turn/steer", { threadId, input, requestId });
  return bridge.request("turn/start", { threadId, input, requestId, queue: true });
}
