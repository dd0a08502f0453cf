//! The texts ssh reads of us: our config, and one `known_hosts` per cloud. Pure.
//!
//! ssh takes the first value it meets, so the stanza says everything that a person's `Host *` further down could bend. Only
//! options that OpenSSH 8.1 knows stand here: one that is unknown would break every use of ssh. `ProxyJump none`,
//! `IdentityFile none`, `Match` and `IgnoreUnknown` never do: editors that read the file themselves misunderstand them.

use std::fmt::Write as _;
use std::path::Path;

use crate::ssh::hosts::{Cloud, Hosts, Labelled, host_name};
use crate::ssh::quote::{self, System};

/// The head of our config.
const HEAD: &str = "# Written by aloft, which writes it anew as threads come and go. Your own wishes for these hosts go into the\n\
                    # file `overrides` beside this one, which wins; `aloft setup ssh` says more.\n";

/// What the stanza says besides what depends on person and cloud.
const FIXED: &str = "\
    ProxyUseFdpass no
    IdentitiesOnly yes
    IdentityAgent SSH_AUTH_SOCK
    AddKeysToAgent no
    PubkeyAuthentication yes
    PreferredAuthentications publickey
    PubkeyAcceptedKeyTypes ssh-ed25519-cert-v01@openssh.com,ssh-ed25519
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519
    CASignatureAlgorithms ssh-ed25519
    CheckHostIP no
    VerifyHostKeyDNS no
    UpdateHostKeys no
    KexAlgorithms +curve25519-sha256
    MACs +hmac-sha2-256-etm@openssh.com
    Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com
    Compression no
    ControlMaster no
    ControlPath none
    ControlPersist no
    ForwardAgent no
    ForwardX11 no
    Tunnel no
    RemoteCommand none
    RequestTTY auto
    PermitLocalCommand no
    CanonicalizeHostname no
    VisualHostKey no
    LogLevel ERROR
    ServerAliveInterval 15
    ServerAliveCountMax 4
    ConnectTimeout 60
    TCPKeepAlive no
";

/// Returns our config; the error is the path that ssh cannot be told.
pub(crate) fn config(system: System, folder: &Path, hosts: &Hosts) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    let overrides = folder.join("overrides").display().to_string();
    // Where it cannot be said, there are no wishes; all else works.
    if let Some(path) = quote::includable(system, &overrides) {
        writeln!(text, "Include \"{path}\"").ok();
    }
    let clouds = hosts.labelled();
    for Labelled { label, cloud, .. } in &clouds {
        for (id, slug) in &cloud.threads {
            let name = host_name(slug, label.as_deref());
            // An id typed as such; the pattern keeps it out of the lists that editors make of names.
            let id_name = match label {
                Some(label) => format!(" {id}.{label}.alof?"),
                None => String::new(),
            };
            writeln!(text, "\nHost {name}{id_name}\n    HostName {id}.aloft").ok();
        }
    }
    for cloud in &clouds {
        stanza(&mut text, system, folder, &hosts.program, cloud)?;
    }
    Ok(text)
}

fn stanza(
    text: &mut String,
    system: System,
    folder: &Path,
    program: &Path,
    Labelled { label, name, cloud }: &Labelled<'_>,
) -> Result<(), String> {
    let label = label.as_deref();
    let file = |name: &str| {
        let path = folder.join(name).display().to_string();
        quote::file(system, &path).ok_or(path)
    };
    let argument = |text: &str| quote::argument(system, text).ok_or_else(|| text.to_owned());
    let data = folder.parent().unwrap_or(folder).display().to_string();
    let proxy = format!(
        "{} ssh-proxy --cloud {} --data {} %h",
        argument(&program.display().to_string())?,
        argument(name)?,
        argument(&data)?
    );
    let (user, key) = (cloud.login(), file("id_ed25519")?);
    let (certificate, known) = (file(&certificate_name(label))?, file(&known_hosts_name(label))?);
    writeln!(
        text,
        "\nHost {pattern}
    HostName %h
    User {user}
    Port 22
    ProxyCommand {proxy}
    IdentityFile {key}
    CertificateFile {certificate}
    UserKnownHostsFile {known}
{fixed}",
        pattern = host_name("*", label),
        fixed = FIXED.trim_end(),
    )
    .ok();
    Ok(())
}

/// Returns how to know the hosts of a cloud.
pub(crate) fn known_hosts(cloud: &Cloud) -> String {
    let mut text = String::new();
    for key in cloud.authorities.iter().filter_map(|key| plain_key(key)) {
        writeln!(text, "@cert-authority *.aloft {key}").ok();
    }
    if let (Some((host, port)), Some(key)) =
        (address(&cloud.gateway), plain_key(&cloud.gateway_key))
    {
        writeln!(text, "[{host}]:{port} {key}").ok();
    }
    text
}

/// Name of the file with the certificate for a cloud.
pub(crate) fn certificate_name(label: Option<&str>) -> String {
    label.map_or_else(|| "id_ed25519-cert.pub".to_owned(), |label| format!("{label}-cert.pub"))
}

/// Name of the file with the hosts of a cloud.
pub(crate) fn known_hosts_name(label: Option<&str>) -> String {
    label.map_or_else(|| "known_hosts".to_owned(), |label| format!("known_hosts.{label}"))
}

/// A key without its comment; nothing where it is no key.
fn plain_key(text: &str) -> Option<String> {
    let mut key = ssh_key::PublicKey::from_openssh(text).ok()?;
    key.set_comment("");
    key.to_openssh().ok().map(|key| key.trim_end().to_owned())
}

fn address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    /// What OpenSSH 8.1 knows and we use; anything newer would break an older ssh.
    const KNOWN: &str = "addkeystoagent canonicalizehostname casignaturealgorithms certificatefile checkhostip ciphers compression \
        connecttimeout controlmaster controlpath controlpersist forwardagent forwardx11 globalknownhostsfile host hostkeyalgorithms \
        hostname identitiesonly identityagent identityfile include kexalgorithms loglevel macs permitlocalcommand port \
        preferredauthentications proxycommand proxyusefdpass pubkeyacceptedkeytypes pubkeyauthentication remotecommand requesttty \
        serveralivecountmax serveraliveinterval stricthostkeychecking tcpkeepalive tunnel updatehostkeys user userknownhostsfile \
        verifyhostkeydns visualhostkey";

    fn hosts() -> Hosts {
        let mut own =
            Cloud { user: "agent".into(), authorities: vec![KEY.into()], ..Default::default() };
        own.learn("k3v9t2m8bcdf", "fix-login-k3v9");
        let mut work = Cloud {
            gateway: "gw.example.com:2222".into(),
            gateway_key: format!("{KEY} gw"),
            ..Default::default()
        };
        work.learn("77f0d2m8bcdf", "add-tests-77f0");
        Hosts {
            program: "/opt/a b/aloft".into(),
            default: "embedded".into(),
            clouds: [("embedded".to_owned(), own), ("work".to_owned(), work)].into(),
            ..Default::default()
        }
    }

    #[test]
    fn every_thread_has_its_name_and_every_cloud_its_stanza() {
        let text = config(System::Unix, Path::new("/d/100%/ssh"), &hosts()).unwrap();
        assert!(
            text.contains("\nHost fix-login-k3v9.aloft\n    HostName k3v9t2m8bcdf.aloft\n"),
            "{text}"
        );
        assert!(text.contains("\nHost add-tests-77f0.work.aloft 77f0d2m8bcdf.work.alof?\n    HostName 77f0d2m8bcdf.aloft\n"));
        assert!(text.contains("    ProxyCommand \"/opt/a b/aloft\" ssh-proxy --cloud \"work\" --data \"/d/100%%\" %h\n"));
        assert!(text.contains("    UserKnownHostsFile \"/d/100%%/ssh/known_hosts.work\"\n"));
        assert!(text.find("Host *.work.aloft").unwrap() < text.find("Host *.aloft").unwrap());
        assert!(!text.contains("Include"), "a percent cannot be said there: {text}");
        assert!(
            config(System::Unix, Path::new("/d/ssh"), &hosts())
                .unwrap()
                .contains("Include \"/d/ssh/overrides\"\n")
        );
        assert!(config(System::Unix, Path::new("/d\"/ssh"), &hosts()).is_err());
    }

    #[test]
    fn no_word_of_ours_is_newer_than_openssh_8_1() {
        let text = config(System::Unix, Path::new("/d/ssh"), &hosts()).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let word = line.split_whitespace().next().unwrap().to_ascii_lowercase();
            assert!(KNOWN.split_whitespace().any(|known| known == word), "{line}");
        }
    }

    #[test]
    fn hosts_are_known_by_their_authority_and_a_gateway_by_its_key() {
        let hosts = hosts();
        assert_eq!(
            known_hosts(&hosts.clouds["embedded"]),
            format!("@cert-authority *.aloft {KEY}\n")
        );
        assert_eq!(known_hosts(&hosts.clouds["work"]), format!("[gw.example.com]:2222 {KEY}\n"));
        let mean = Cloud {
            authorities: vec![format!("{KEY}\n* {KEY}"), "nonsense".into()],
            gateway: "a b:1".into(),
            gateway_key: KEY.into(),
            ..Default::default()
        };
        assert!(!known_hosts(&mean).contains("* ssh"), "{}", known_hosts(&mean));
    }
}
