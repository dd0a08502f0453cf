//! One task per live thread: owns its machine and performs its effects.
