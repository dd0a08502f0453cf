// The wire types. They are written from the Rust types into docs/protocol.d.ts and are used from there, so they cannot drift.

export type * from "../../../docs/protocol.js";
