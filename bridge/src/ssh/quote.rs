//! Words as ssh and its readers want them. Pure, also for Windows, so that both are tested anywhere.

/// Which system the words are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// A shell runs the command.
    Unix,
    /// Double quotes and forward slashes are all that every reader understands.
    Windows,
}

impl System {
    /// The one this program runs on.
    pub(crate) const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    /// Returns a path as it stands in a config.
    pub(crate) fn path(self, path: &str) -> String {
        match self {
            Self::Unix => path.to_owned(),
            Self::Windows => path.replace('\\', "/"),
        }
    }
}

/// Returns a path as the value of an option that takes a file: quoted, with `%` doubled. `None` where no quoting exists.
pub(crate) fn file(system: System, path: &str) -> Option<String> {
    let path = system.path(path);
    (usable(&path) && !path.contains("${")).then(|| format!("\"{}\"", path.replace('%', "%%")))
}

/// Returns a path as `Include` takes it, without the quotes around it. It is a pattern there, and newer ssh puts values in,
/// with no way to say that a character means itself.
pub(crate) fn includable(system: System, path: &str) -> Option<String> {
    let path = system.path(path);
    (usable(&path) && !path.contains(['%', '[', ']', '*', '?']) && !path.contains("${"))
        .then_some(path)
}

/// Returns one argument of a `ProxyCommand`. Double quotes where they do, because some editors split the command
/// themselves and know no others; a shell's single quotes otherwise.
pub(crate) fn argument(system: System, text: &str) -> Option<String> {
    let text = system.path(text);
    if text.contains(['\n', '\r', '\0']) {
        return None;
    }
    let doubled = text.replace('%', "%%");
    if system == System::Windows {
        return (!text.contains('"')).then(|| format!("\"{doubled}\""));
    }
    if text.contains(['$', '`', '\\', '"']) {
        return Some(format!("'{}'", doubled.replace('\'', r"'\''")));
    }
    Some(format!("\"{doubled}\""))
}

/// Returns words as a shell takes them, so that it gives them on as they are.
pub fn shell(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Whether a path can stand between double quotes in a config.
fn usable(path: &str) -> bool {
    !path.contains(['"', '\\', '\n', '\r', '\0'])
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Splits a command as open-remote-ssh does: double quotes and backslashes, nothing else.
    fn split(command: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut some) = (Vec::new(), String::new(), false, false);
        let mut letters = command.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => word.extend(letters.next()),
                '"' => (quoted, some) = (!quoted, true),
                ' ' if !quoted => {
                    if some || !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    some = false;
                }
                letter => word.push(letter),
            }
        }
        if some || !word.is_empty() {
            words.push(word);
        }
        words
    }

    #[test]
    fn a_shell_gets_back_any_argument() {
        for text in [
            "/a/aloft",
            "/a b/aloft",
            "/it's/x",
            "/$HOME/x",
            "/q\"q",
            "/back\\slash",
            "/`id`",
            "/[x]*?",
            "/é",
        ] {
            let word = argument(System::Unix, text).unwrap();
            let script = format!("printf %s {word}");
            let run = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&run.stdout), text, "{word}");
        }
        assert_eq!(argument(System::Unix, "/100%/x").unwrap(), "\"/100%%/x\"");
        assert_eq!(argument(System::Unix, "/100%$/x").unwrap(), "'/100%%$/x'");
        assert_eq!(argument(System::Unix, "a\nb"), None);
    }

    #[test]
    fn editors_that_split_the_command_themselves_get_the_same_words() {
        for system in [System::Unix, System::Windows] {
            for text in ["/a/aloft", "/a b/c  d/aloft", "/it's/x", "C:/Program Files/aloft.exe", ""]
            {
                let word = argument(system, text).unwrap();
                assert_eq!(
                    split(&format!("{word} ssh-proxy {word} %h")),
                    [text, "ssh-proxy", text, "%h"]
                );
            }
        }
    }

    #[test]
    fn windows_has_forward_slashes_and_double_quotes_only() {
        let path = r"C:\Program Files\Jo & co\aloft.exe";
        assert_eq!(
            argument(System::Windows, path).unwrap(),
            "\"C:/Program Files/Jo & co/aloft.exe\""
        );
        assert_eq!(file(System::Windows, path).unwrap(), "\"C:/Program Files/Jo & co/aloft.exe\"");
        assert_eq!(
            includable(System::Windows, path).unwrap(),
            "C:/Program Files/Jo & co/aloft.exe"
        );
    }

    #[test]
    fn paths_that_cannot_be_said_are_refused() {
        for path in ["/a%b", "/a[b", "/a]b", "/a*b", "/a?b", "/a\"b", "/a\\b", "/a\nb", "/${a}"] {
            assert_eq!(includable(System::Unix, path), None, "{path}");
        }
        assert_eq!(includable(System::Unix, "/a b/it's/$x").unwrap(), "/a b/it's/$x");
        assert_eq!(file(System::Unix, "/a%b").unwrap(), "\"/a%%b\"");
        assert_eq!(file(System::Unix, "/${a}"), None);
    }

    #[test]
    fn words_for_the_far_shell_stay_words() {
        let words = ["sh", "-c", "echo 'a b' $X; exit 3", ""].map(ToOwned::to_owned);
        assert_eq!(shell(&words), r"sh -c 'echo '\''a b'\'' $X; exit 3' ''");
    }
}
