//! Harness of the integration tests: own HOME, real processes.
