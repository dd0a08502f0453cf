//! What of a person's config bends our hosts, with the line it stands in.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ssh::lines::{self, Line};
use crate::ssh::{Error, UserConfig};

/// Options that a stanza cannot take back and what they do to our hosts. The harmless ones are not here.
const LEAKS: [(&str, &str); 11] = [
    ("hostkeyalias", "ssh looks for the host under another name and refuses it"),
    ("sessiontype", "commands do not run, or never end"),
    ("stdinnull", "nothing typed or piped arrives: editors cannot start their server"),
    ("forkafterauthentication", "ssh leaves before the command is done"),
    ("knownhostscommand", "host keys are asked of another program too"),
    ("revokedhostkeys", "host keys may be refused"),
    ("localforward", "the port is opened for every connection; a second one finds it taken"),
    ("remoteforward", "the port is opened in the sandbox, which hands it what listens here"),
    ("dynamicforward", "the port is opened for every connection; a second one finds it taken"),
    ("identityfile", "more keys are offered than ours"),
    ("certificatefile", "more certificates are offered than ours"),
];

/// Something that bends our hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoiler {
    /// The option, in lower case.
    pub option: String,
    /// Its value for our hosts.
    pub value: String,
    /// What it does.
    pub effect: String,
    /// Where it stands, and what it says there.
    pub place: Option<(PathBuf, usize, String)>,
}

impl fmt::Display for Spoiler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, number, text)) => {
                write!(formatter, "{}: line {number}: {text}: {}", file.display(), self.effect)
            }
            None => write!(
                formatter,
                "{} is {} for our hosts: {}",
                self.option, self.value, self.effect
            ),
        }
    }
}

impl UserConfig {
    /// Returns what bends our hosts.
    pub async fn spoilers(&self) -> Result<Vec<Spoiler>, Error> {
        let mut found: Vec<(String, String, String)> = Vec::new();
        for difference in self.differences().await? {
            if !LEAKS.iter().any(|(option, _)| *option == difference.option) {
                let effect = "it stands before our line, so it wins".to_owned();
                found.push((difference.option, difference.value, effect));
            }
        }
        let (ours, theirs) = self.both().await?;
        for (option, effect) in LEAKS {
            let own: Vec<&str> = ours.all(option).collect();
            // Newer versions of ssh tell the default too.
            for value in theirs.all(option).filter(|value| !own.contains(value)) {
                found.push((option.to_owned(), value.to_owned(), effect.to_owned()));
            }
        }
        found.dedup_by(|one, other| one.0 == other.0 && one.1 == other.1);
        let lines = self.lines_that_count();
        Ok(found
            .into_iter()
            .map(|(option, value, effect)| Spoiler {
                place: place(&lines, &option, &value),
                option,
                value,
                effect,
            })
            .collect())
    }

    fn lines_that_count(&self) -> Vec<Line> {
        let home = self.home();
        let mut lines = Vec::new();
        for config in [self.path(), Path::new("/etc/ssh/ssh_config")] {
            lines.extend(lines::of_host(config, "aloft-probe.aloft", home, self.own()));
        }
        lines
    }
}

/// The line that says this, else the first that speaks of it.
fn place(lines: &[Line], option: &str, value: &str) -> Option<(PathBuf, usize, String)> {
    let speaks = |line: &&Line| {
        line.option == option
            || (option.starts_with("pubkeyaccepted") && line.option.starts_with("pubkeyaccepted"))
    };
    let word = value.split_whitespace().next_back().unwrap_or(value);
    let word = word.rsplit('/').next().unwrap_or(word);
    let line = lines.iter().filter(speaks).find(|line| line.text.contains(word));
    let line = line.or_else(|| lines.iter().find(speaks))?;
    Some((line.file.clone(), line.number, line.text.clone()))
}
