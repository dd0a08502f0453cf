//! Where everything durable lives: rows, the event log, the feed.
