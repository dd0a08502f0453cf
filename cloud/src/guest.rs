//! Island: the daemon inside a sandbox.
