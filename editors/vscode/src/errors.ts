// Errors of the bridge, with the reason and the next step that they carry.

import { ResponseError } from "vscode-jsonrpc";

import type { ErrorData } from "./protocol.js";

/** A request that the bridge refused, or that no bridge was there to take. */
export class RequestError extends Error {
  constructor(
    message: string,
    readonly code: number,
    readonly reason: string,
    readonly hint?: string,
    readonly retryable = false,
    /** All that the bridge said, for reasons that say more. */
    readonly data: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = "RequestError";
  }

  /** What happened and what to do next, for people. */
  get whole(): string {
    return this.hint ? `${this.message}. ${capital(this.hint)}.` : this.message;
  }
}

export const METHOD_NOT_FOUND = -32601;
const INTERNAL = -32603;

/** As a RequestError, whatever it was. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof ResponseError) {
    const data = (error.data ?? {}) as Partial<ErrorData>;
    return new RequestError(error.message, error.code, data.reason ?? "INTERNAL", data.hint, data.retryable, data);
  }
  return new RequestError(error instanceof Error ? error.message : String(error), INTERNAL, "INTERNAL");
}

export function isReason(error: unknown, reason: string): boolean {
  return error instanceof RequestError && error.reason === reason;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
