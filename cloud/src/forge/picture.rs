//! Pictures of an issue: found in its texts, and fetched from where its forge keeps them. What lies elsewhere stays an address.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;
use reqwest::Url;

/// The largest picture, in bytes: more than that models do not take.
pub const LARGEST: usize = 5 << 20;

/// `![words](ADDRESS "title")`, and `<img src="ADDRESS">`.
static MARKDOWN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"!\[[^\]]*\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s<>()]*)?)").ok());
static HTML: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)<img\b[^>]*?\ssrc\s*=\s*["']?([^"'\s>]+)"#).ok());

/// A picture that is at the forge itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// As people know it.
    pub name: String,
    /// Where it is fetched. For a while it may open the picture to everybody: it is shown to nobody.
    pub(super) url: Url,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Picture").field(&self.name).finish()
    }
}

impl Picture {
    /// Named after its address, without what may open it.
    pub(super) fn at(url: Url) -> Self {
        let mut name = url.clone();
        name.set_query(None);
        name.set_fragment(None);
        Self { name: name.to_string(), url }
    }
}

/// The pictures of these texts in their order, each once; `place` says where one is, if it is at the forge.
pub(super) fn of<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    place: impl Fn(&str) -> Option<Url>,
) -> Vec<Picture> {
    let mut names = HashSet::new();
    let all = texts.into_iter().flat_map(addresses).filter_map(|one| place(&one));
    all.map(Picture::at).filter(|picture| names.insert(picture.name.clone())).collect()
}

fn addresses(text: &str) -> Vec<String> {
    let of = |kind: &'static LazyLock<Option<Regex>>| {
        let all = kind.as_ref().into_iter().flat_map(|regex| regex.captures_iter(text));
        all.filter_map(|one| one.get(1)).map(|one| (one.start(), one.as_str()))
    };
    let mut all: Vec<(usize, &str)> = of(&MARKDOWN).chain(of(&HTML)).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, address)| address.replace("&amp;", "&")).collect()
}

/// Which kind of picture these bytes are, of those that agents take; whatever they are called.
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
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
    fn pictures_are_found_however_they_are_written() {
        let text = r#"![a](https://a/1.png "one") and
            <img width="10" alt='x' src="https://a/2.png?b=1&amp;c=2"> ![](</uploads/3.png>)
            [no picture](https://a/4.png) ![b][ref] <IMG SRC=https://a/5.png> ![c](https://a/6(1).png)
            <p data-src="https://a/7.png"> ![twice](https://a/1.png#x)"#;
        assert_eq!(
            addresses(text),
            [
                "https://a/1.png",
                "https://a/2.png?b=1&c=2",
                "/uploads/3.png",
                "https://a/5.png",
                "https://a/6(1).png",
                "https://a/1.png#x"
            ]
        );
        let found = of([text], |one| Url::parse(one).ok());
        let names: Vec<&str> = found.iter().map(|picture| picture.name.as_str()).collect();
        assert_eq!(
            names,
            ["https://a/1.png", "https://a/2.png", "https://a/5.png", "https://a/6(1).png"]
        );
        assert!(!format!("{found:?}").contains("b=1"), "what opens it is shown to nobody");
    }

    #[test]
    fn however_many_there_are_they_are_found_soon() {
        let many = (0..100_000).map(|one| format!("![](https://a/{one}.png)"));
        let many = many.collect::<Vec<_>>().join(" ");
        let began = std::time::Instant::now();
        assert_eq!(of([many.as_str(), many.as_str()], |one| Url::parse(one).ok()).len(), 100_000);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
