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

  /** Nobody said no: what was asked for may have been done. Asked again, it needs the same request id. */
  get unsure(): boolean {
    return !REFUSALS.includes(this.code);
  }

  /** What happened and what to do next, for people. */
  get whole(): string {
    return this.hint ? `${this.message}. ${capital(this.hint)}.` : this.message;
  }
}

/** Codes of what was certainly not done, as docs/json-rpc.md lists them. */
const REFUSALS: readonly number[] = [-32601, -32602, -32010, -32011, -32012, -32013, -32015];
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
