//! Configuration of the bridge: flag over environment over editor options over `config.toml` over default.
