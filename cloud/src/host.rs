//! What a sandbox may ask of its cloud: one HTTP socket per sandbox.
