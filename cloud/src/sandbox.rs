//! Runtimes that start and stop sandboxes, and the client of the guest inside.
