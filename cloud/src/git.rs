//! Mirrors, snapshots and diffs: the git CLI on clean bare repositories only.
