// What only an account at a forge does away with. It is the same list for the extension and its pages.

const REASONS: readonly string[] = ["FORGE_ACCOUNT_MISSING", "FORGE_ACCOUNT_UNREADABLE", "FORGE_TOKEN_REFUSED", "FORGE_SCOPE_MISSING"];

/** Whether another account, or its token anew, is what is needed. */
export function needsAccount(reason: string | undefined): boolean {
  return reason !== undefined && REASONS.includes(reason);
}
