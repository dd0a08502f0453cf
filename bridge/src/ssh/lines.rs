//! Where a directive stands: the configs ssh reads, line by line, with what they include.
//!
//! Read only to name a line to a person. What ssh makes of it is asked of ssh itself.

use std::fs;
use std::path::{Path, PathBuf};

/// As deep as ssh follows `Include`.
const DEEPEST: usize = 16;

/// One line that may count for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its number.
    pub(crate) number: usize,
    /// The option, in lower case.
    pub(crate) option: String,
    /// The line without what is around it.
    pub(crate) text: String,
}

/// Returns the lines that may count for a host, in the order in which ssh meets them. `own` is left out, with what it
/// includes; a `Match` counts unless it names other hosts.
pub(crate) fn of_host(config: &Path, host: &str, home: &Path, own: &Path) -> Vec<Line> {
    let mut walk = Walk { host, home, own, found: Vec::new() };
    walk.file(config, true, 0);
    walk.found
}

struct Walk<'a> {
    host: &'a str,
    home: &'a Path,
    own: &'a Path,
    found: Vec<Line>,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, mut counts: bool, depth: usize) {
        if depth > DEEPEST || path == self.own {
            return;
        }
        let outside = counts;
        let text = fs::read(path).unwrap_or_default();
        for (at, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line.trim();
            let (option, value) = take_apart(line);
            match option.as_str() {
                "host" => counts = outside && names(&value, self.host),
                "match" => counts = outside && may_match(&value, self.host),
                "include" if counts => {
                    for word in &value {
                        for file in self.expand(word) {
                            self.file(&file, true, depth + 1);
                        }
                    }
                }
                "" | "include" => {}
                _ if counts => self.found.push(Line {
                    file: path.to_owned(),
                    number: at + 1,
                    option,
                    text: line.chars().take(120).collect(),
                }),
                _ => {}
            }
        }
    }

    /// The files an `Include` means.
    fn expand(&self, word: &str) -> Vec<PathBuf> {
        let path = match word.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => self.home.join(".ssh").join(word),
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Vec::new();
        };
        let pattern = name.to_string_lossy();
        if !pattern.contains(['*', '?']) {
            return vec![path.clone()];
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                !name.starts_with('.') && is_like(&pattern, &name)
            })
            .map(|entry| entry.path())
            .collect();
        files.sort();
        files
    }
}

/// The option in lower case and its words.
fn take_apart(line: &str) -> (String, Vec<String>) {
    if line.starts_with('#') {
        return Default::default();
    }
    let end =
        line.find(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or(line.len());
    let rest =
        line[end..].trim_start_matches(|letter: char| letter.is_whitespace() || letter == '=');
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in rest.chars() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            letter if letter.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    (line[..end].to_ascii_lowercase(), words)
}

/// Whether the patterns of `Host` mean a host: one that is negated takes it out.
fn names(patterns: &[String], host: &str) -> bool {
    let out =
        |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| is_like(pattern, host));
    !patterns.iter().any(out) && patterns.iter().any(|pattern| is_like(pattern, host))
}

/// Whether a `Match` may mean a host, as far as its criteria name hosts.
fn may_match(criteria: &[String], host: &str) -> bool {
    let mut words = criteria.iter();
    while let Some(word) = words.next() {
        let named = matches!(word.to_ascii_lowercase().as_str(), "host" | "originalhost");
        if named && let Some(list) = words.next() {
            let patterns: Vec<String> = list.split(',').map(ToOwned::to_owned).collect();
            if !names(&patterns, host) {
                return false;
            }
        }
    }
    true
}

/// Whether a name is like a pattern of `*` and `?`.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            name.char_indices()
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| is_like(rest, &name[at..]))
        }
        Some(letter) => {
            let Some(first) = name.chars().next() else { return false };
            (letter == '?' || letter.eq_ignore_ascii_case(&first))
                && is_like(&pattern[letter.len_utf8()..], &name[first.len_utf8()..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_count_are_found_through_includes() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh");
        fs::create_dir_all(folder.join("conf.d")).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write(
            "config",
            "Include own\nUser=root # all\nHost other\n  Port 1\n Host *.aloft !x.aloft\n  SetEnv \"A=b c\"\nInclude conf.d/*.conf ~/more\n\
                         Match host=x\n StdinNull yes\nMatch host other,*.example\n  Port 2\nMatch final all\n  SessionType none\n",
        );
        write("own", "Port 9\n");
        write("conf.d/a.conf", "Host *\n  HostKeyAlias here\n");
        write("conf.d/b.txt", "Port 3\n");
        fs::write(home.path().join("more"), "ForwardAgent yes\r\n").unwrap();
        let lines =
            of_host(&folder.join("config"), "probe.aloft", home.path(), &folder.join("own"));
        let shown: Vec<String> = lines
            .iter()
            .map(|line| {
                format!(
                    "{}:{} {}",
                    line.file.file_name().unwrap().display(),
                    line.number,
                    line.option
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "config:2 user",
                "config:6 setenv",
                "a.conf:2 hostkeyalias",
                "more:1 forwardagent",
                "config:9 stdinnull",
                "config:13 sessiontype"
            ]
        );
        assert_eq!(lines[0].text, "User=root # all");
    }

    #[test]
    fn patterns_are_those_of_ssh() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.aloft", "x.aloft", true),
            ("?.a", "b.a", true),
            ("?.a", ".a", false),
            ("*a*b", "xaxxb", true),
            ("A", "a", true),
            ("a", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }
}
