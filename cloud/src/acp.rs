//! ACP client over any byte stream, and how each known agent is launched.
