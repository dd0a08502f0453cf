//! Faults at every step, and whether everything is as it must be afterwards.

mod after;
mod journeys;
mod saving;
mod soak;
mod stage;
mod started;
mod stops;
mod synced;
mod walk;
