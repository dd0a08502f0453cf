//! The one task that holds subscriptions and cursors.
