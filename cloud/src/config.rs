//! Configuration of the cloud: flag over environment over `config.toml` over default.
