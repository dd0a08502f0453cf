//! The inbox of each user.
