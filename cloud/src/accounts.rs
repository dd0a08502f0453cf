//! Model keys: stored ones and those of the environment.
