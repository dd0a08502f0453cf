//! SSH into a thread's sandbox, with OpenSSH's own programs against the real cloud.

mod sessions;
