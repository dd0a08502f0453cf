//! Island: the built-in ACP agents, and the ACP loop they share. They run inside a sandbox and know none of the rest of
//! the cloud.

pub mod stdio;
