//! Turns an agent's reports into the items and events of a thread's log.
