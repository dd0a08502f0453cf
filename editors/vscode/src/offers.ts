// What differs from cloud to cloud, and is shown only where it is there.

import type { Offers } from "../webview/messages.js";
import type { Ctx } from "./ctx.js";
import { METHOD_NOT_FOUND, asRequestError } from "./errors.js";

let known: Offers | undefined;

/** As it was found last. */
export function offers(): Offers {
  return known ?? { pullRequest: false };
}

/** Asks each new bridge. A method that is there complains of the parameters; one that is not, is not found. */
export function lookForOffers(ctx: Ctx): void {
  ctx.extension.subscriptions.push(
    ctx.bridge.onDidStart(async () => {
      try {
        await ctx.bridge.ask("thread/createPullRequest", {});
        known = { pullRequest: true };
      } catch (error) {
        known = { pullRequest: asRequestError(error).code !== METHOD_NOT_FOUND };
      }
    }),
  );
}
