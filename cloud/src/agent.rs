//! Island: the built-in ACP agents, `shell` and `aloft`.
