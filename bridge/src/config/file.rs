//! Reading of `config.toml` and of an editor's options, with the keys nobody knows.

use std::io;
use std::path::Path;

use crate::config::{Error, Settings};

/// The table of `config.toml` that `aloft-cloud serve` reads.
const CLOUD_TABLE: &str = "serve";

/// Reads the file; an absent one is an empty one. Gives the unknown keys too.
pub(crate) fn read(path: &Path) -> Result<(Settings, Vec<String>), Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    let parse = |source| Error::Parse { path: path.to_owned(), source: Box::new(source) };
    let mut unknown = Vec::new();
    let document = toml::Deserializer::parse(&text).map_err(parse)?;
    let settings =
        serde_ignored::deserialize(document, |key| unknown.push(key.to_string())).map_err(parse)?;
    // What the cloud reads of the same file.
    unknown.retain(|key| key != CLOUD_TABLE);
    Ok((settings, unknown))
}

/// Reads an editor's options. Gives the unknown keys too.
pub(crate) fn options(
    options: Option<&serde_json::Value>,
) -> Result<(Settings, Vec<String>), Error> {
    let Some(options) = options.filter(|options| !options.is_null()) else {
        return Ok(Default::default());
    };
    let mut unknown = Vec::new();
    let mut note = |key: serde_ignored::Path<'_>| unknown.push(key.to_string());
    let settings =
        serde_path_to_error::deserialize(serde_ignored::Deserializer::new(options, &mut note))
            .map_err(|source| Error::Options { source })?;
    Ok((settings, unknown))
}
