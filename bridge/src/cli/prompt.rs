//! A person's message from the command line: words, standard input, pictures.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use aloft_proto::v1;
use aloft_proto::v1::input::Kind;

use crate::cli::failure::{Failure, local, usage};

/// Largest picture in bytes.
const LARGEST_IMAGE: u64 = 20 << 20;

/// Returns the parts of a message; `-` reads standard input.
pub(crate) fn read(words: Option<&str>, images: &[PathBuf]) -> Result<Vec<v1::Input>, Failure> {
    let mut parts = Vec::new();
    let text = match words {
        Some("-") => Some(standard_input()?),
        Some(words) => Some(words.to_owned()),
        None => None,
    };
    if let Some(text) = text {
        if text.trim().is_empty() {
            return Err(usage("the message is empty", "say what the agent shall do"));
        }
        parts.push(v1::Input { kind: Some(Kind::Text(v1::TextInput { text })) });
    }
    for path in images {
        parts.push(image(path)?);
    }
    Ok(parts)
}

/// All of standard input, as text.
pub(crate) fn standard_input() -> Result<String, Failure> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        std::io::Write::write_all(
            &mut std::io::stderr().lock(),
            b"(type the message, end it with Ctrl-D)\n",
        )
        .ok();
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|error| local("read", Path::new("standard input"), &error))?;
    String::from_utf8(bytes)
        .map_err(|_| usage("the message on standard input is not UTF-8", "convert it with iconv"))
}

fn image(path: &Path) -> Result<v1::Input, Failure> {
    let failed = |error: std::io::Error| local("read", path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > LARGEST_IMAGE {
        return Err(usage(
            format!("{} is larger than 20 MiB", path.display()),
            "make the picture smaller",
        ));
    }
    let data = std::fs::read(path).map_err(failed)?;
    let Some(mime_type) = mime_type(&data) else {
        return Err(usage(
            format!("{} is no PNG, JPEG, GIF or WebP", path.display()),
            "convert the picture first",
        ));
    };
    Ok(v1::Input {
        kind: Some(Kind::Image(v1::ImageInput { mime_type: mime_type.into(), data: data.into() })),
    })
}

/// Tells a picture by its first bytes, whatever its name says.
fn mime_type(data: &[u8]) -> Option<&'static str> {
    match data {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n").unwrap();
        let parts = read(Some("look"), std::slice::from_ref(&path)).unwrap();
        assert!(
            matches!(&parts[1].kind, Some(Kind::Image(image)) if image.mime_type == "image/png")
        );
        std::fs::write(&path, b"words").unwrap();
        assert!(read(None, std::slice::from_ref(&path)).is_err());
        assert!(read(None, &[folder.path().join("absent")]).is_err());
        assert!(read(Some(" \n"), &[]).is_err());
        assert!(read(None, &[]).unwrap().is_empty());
    }
}
