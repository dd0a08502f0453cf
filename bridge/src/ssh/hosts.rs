//! What is known of the sandboxes that ssh reaches: clouds, how each proves itself, its threads, and what
//! `aloft ssh-proxy` needs to find a cloud where no variable of ours is set.
//!
//! Kept as `hosts.json`; the config and the `known_hosts` files are made from it and from nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How every host of ours ends.
const ENDING: &str = ".aloft";
/// The login name where a cloud does not name one.
const USER: &str = "agent";

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hosts {
    /// The program that ssh starts.
    pub program: PathBuf,
    /// Where this person's things live.
    pub place: Place,
    /// Name of the cloud whose hosts have no cloud in their names.
    pub default: String,
    /// Clouds by what `--cloud` takes: a name or an address.
    pub clouds: BTreeMap<String, Cloud>,
    /// The config that was made because there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<PathBuf>,
}

/// Where this person's things live, but for the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// The configuration folder.
    pub config: PathBuf,
    /// The folder of sockets.
    pub runtime: PathBuf,
    /// The program of the embedded cloud, where one is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_program: Option<PathBuf>,
}

/// One cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cloud {
    /// The login name in every sandbox.
    pub user: String,
    /// Keys that certify its hosts, as in a `known_hosts` file.
    pub authorities: Vec<String>,
    /// `HOST:PORT` of its gateway.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// The gateway's own key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway_key: String,
    /// The key of ours that it was told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registered: String,
    /// Slugs of its threads by id.
    pub threads: BTreeMap<String, String>,
}

/// A cloud with its label in host names.
#[derive(Clone, Debug)]
pub(crate) struct Labelled<'a> {
    /// None for the default cloud.
    pub(crate) label: Option<String>,
    /// What `--cloud` takes.
    pub(crate) name: &'a str,
    /// The cloud.
    pub(crate) cloud: &'a Cloud,
}

impl Hosts {
    /// Returns the clouds with the label each has in host names; the default one has none. The default comes last: its
    /// pattern matches the hosts of the others too, and ssh takes the first value.
    pub(crate) fn labelled(&self) -> Vec<Labelled<'_>> {
        let mut labels: Vec<Labelled<'_>> = Vec::new();
        for (name, cloud) in self.clouds.iter().filter(|(name, _)| **name != self.default) {
            let plain = label(name);
            let mut free = plain.clone();
            let mut number = 2;
            while labels.iter().any(|taken| taken.label.as_ref() == Some(&free)) {
                free = format!("{plain}-{number}");
                number += 1;
            }
            labels.push(Labelled { label: Some(free), name, cloud });
        }
        let default = self.clouds.get_key_value(&self.default);
        labels.extend(default.map(|(name, cloud)| Labelled { label: None, name, cloud }));
        labels
    }

    /// Returns the label of a cloud in host names.
    pub(crate) fn label_of(&self, cloud: &str) -> Option<String> {
        self.labelled().into_iter().find(|labelled| labelled.name == cloud)?.label
    }

    /// Returns the host name of a thread of the named cloud.
    pub fn host(&self, cloud: &str, id: &str) -> Option<String> {
        let slug = self.clouds.get(cloud)?.threads.get(id)?;
        Some(host_name(slug, self.label_of(cloud).as_deref()))
    }
}

impl Cloud {
    /// Returns the login name.
    pub(crate) fn login(&self) -> &str {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let good =
            !self.user.is_empty() && self.user.chars().all(plain) && !self.user.starts_with('-');
        if good { &self.user } else { USER }
    }

    /// Takes a thread in, or its new slug. What could not stand in a host name is not taken.
    pub fn learn(&mut self, id: &str, slug: &str) {
        if is_name(id) && is_name(slug) {
            self.threads.insert(id.to_owned(), slug.to_owned());
        }
    }
}

/// Returns the host name of a slug.
pub(crate) fn host_name(slug: &str, label: Option<&str>) -> String {
    match label {
        Some(label) => format!("{slug}.{label}{ENDING}"),
        None => format!("{slug}{ENDING}"),
    }
}

/// Returns the name of a thread from a host name: without our ending, and without the cloud's label.
pub(crate) fn thread_of<'a>(host: &'a str, label: Option<&str>) -> &'a str {
    let host = bare(host).unwrap_or(host);
    let label = label.and_then(|label| host.strip_suffix(label)?.strip_suffix('.'));
    label.unwrap_or(host)
}

/// Returns a host name of ours without its ending, or nothing where it is none.
pub(crate) fn bare(host: &str) -> Option<&str> {
    host.strip_suffix(ENDING)
}

/// Makes a cloud's name fit for a host name.
fn label(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_lowercase() || letter.is_ascii_digit() => letter,
        _ => '-',
    });
    let label: String = letters.take(40).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "cloud".to_owned() } else { label.to_owned() }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(plain) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_cloud_has_no_label_and_comes_last() {
        let clouds = ["Work", "embedded", "work", "http://127.0.0.1:7419"]
            .map(|name| (name.to_owned(), Cloud::default()));
        let hosts =
            Hosts { default: "embedded".into(), clouds: clouds.into(), ..Default::default() };
        let labels: Vec<_> =
            hosts.labelled().into_iter().map(|one| (one.label, one.name)).collect();
        let expected = [
            (Some("work".to_owned()), "Work"),
            (Some("http---127-0-0-1-7419".to_owned()), "http://127.0.0.1:7419"),
            (Some("work-2".to_owned()), "work"),
            (None, "embedded"),
        ];
        assert_eq!(labels, expected);
        assert_eq!(hosts.label_of("work").as_deref(), Some("work-2"));
    }

    #[test]
    fn names_of_threads_are_found_in_hosts() {
        assert_eq!(thread_of("fix-1.aloft", None), "fix-1");
        assert_eq!(thread_of("fix-1.work.aloft", Some("work")), "fix-1");
        assert_eq!(thread_of("k3v9.aloft", Some("work")), "k3v9");
        assert_eq!(thread_of("fix-1", None), "fix-1");
    }

    #[test]
    fn what_cannot_stand_in_a_host_name_is_not_taken() {
        let mut cloud = Cloud { user: "a b".into(), ..Default::default() };
        for bad in ["a b", "a\nHost *", "", "-x", "A", "a.b", "*"] {
            cloud.learn(bad, "fine");
            cloud.learn("fine", bad);
        }
        assert!(cloud.threads.is_empty());
        assert_eq!(cloud.login(), "agent");
    }
}
