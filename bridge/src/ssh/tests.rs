//! Our line in configs of all kinds, judged by the real ssh.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::ssh::ask::{Settings, ask};
use crate::ssh::hosts::Cloud;
use crate::ssh::{Change, Error, Folder, Key, State, UserConfig};

/// Configs that are tried.
const CONFIGS: u64 = 60;
/// A host of the person's own.
const THEIRS: &str = "box.example";
/// What a person may want for all hosts, the opposite of what ours need.
const HOSTILE: [&str; 40] = [
    "User root",
    "Port 2222",
    "HostName elsewhere.example",
    "ProxyCommand nc %h %p",
    "ProxyJump gate.example",
    "ProxyUseFdpass yes",
    "IdentitiesOnly no",
    "IdentityAgent none",
    "AddKeysToAgent yes",
    "PubkeyAuthentication no",
    "PreferredAuthentications password",
    "PubkeyAcceptedAlgorithms rsa-sha2-512",
    "UserKnownHostsFile /dev/null",
    "GlobalKnownHostsFile /tmp/known",
    "StrictHostKeyChecking no",
    "HostKeyAlgorithms rsa-sha2-512",
    "CASignatureAlgorithms rsa-sha2-512",
    "CheckHostIP yes",
    "VerifyHostKeyDNS yes",
    "UpdateHostKeys yes",
    "KexAlgorithms diffie-hellman-group14-sha256",
    "MACs hmac-sha1",
    "Ciphers aes256-ctr",
    "Compression yes",
    "ControlMaster auto",
    "ControlPath ~/.ssh/cm-%C",
    "ControlPersist yes",
    "ForwardAgent yes",
    "ForwardX11 yes",
    "Tunnel yes",
    "RemoteCommand tmux",
    "RequestTTY force",
    "PermitLocalCommand yes",
    "CanonicalizeHostname yes",
    "VisualHostKey yes",
    "LogLevel QUIET",
    "ServerAliveInterval 0",
    "ServerAliveCountMax 1",
    "ConnectTimeout 1",
    "TCPKeepAlive yes",
];

/// A person's home with our folder in it.
struct Home {
    root: tempfile::TempDir,
    folder: Folder,
}

impl Home {
    fn new(below: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".ssh")).unwrap();
        let folder = Folder::new(&root.path().join(below));
        folder
            .change(|hosts| {
                hosts.program = "/opt/a b/aloft".into();
                hosts.default = "embedded".into();
                let mut own = Cloud::default();
                own.learn("k3v9t2m8bcdf", "fix-login-k3v9");
                let mut work = Cloud::default();
                work.learn("77f0d2m8bcdf", "add-tests-77f0");
                hosts.clouds = [("embedded".to_owned(), own), ("work".to_owned(), work)].into();
            })
            .unwrap();
        Self { root, folder }
    }

    fn config(&self) -> UserConfig {
        UserConfig::new(&self.folder, self.root.path()).unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn ours(&self, below: &str) -> String {
        self.folder.path().join(below).display().to_string()
    }
}

/// Some of what a person may want.
fn options(random: &mut StdRng, indent: &str) -> String {
    let count = random.random_range(1..8);
    HOSTILE.choose_multiple(random, count).fold(String::new(), |mut text, option| {
        writeln!(text, "{indent}{option}").unwrap();
        text
    })
}

/// The same under a head.
fn part(random: &mut StdRng, head: &str, indent: &str) -> String {
    format!("{head}\n{}", options(random, indent))
}

/// A config as a person may have it, with what is special about it.
fn generated(random: &mut StdRng, home: &Home) -> (Vec<u8>, Vec<&'static str>) {
    let mut traits = Vec::new();
    let mut text = String::new();
    let mut share = |random: &mut StdRng, name, chance| {
        let has = random.random_bool(chance);
        if has {
            traits.push(name);
        }
        has
    };
    if share(random, "comment on top", 0.3) {
        text += "# vim: ft=sshconfig\n\n";
    }
    if share(random, "bare globals", 0.5) {
        text += &options(random, "");
    }
    if share(random, "own includes", 0.4) {
        fs::write(home.path(".ssh/more"), part(random, "Host *", "  ")).unwrap();
        writeln!(text, "Include {}\ninclude none/*.conf", home.path(".ssh/more").display())
            .unwrap();
    }
    if share(random, "leading Host *", 0.5) {
        text += &part(random, "Host *", "\t");
    }
    if share(random, "Match exec", 0.3) {
        let program = ["true", "false"].choose(random).unwrap();
        text += &part(random, &format!("Match exec \"{program}\""), "    ");
    }
    if share(random, "Match host", 0.4) {
        text += &part(random, &format!("Match host *.aloft,{THEIRS}"), "  ");
    }
    if share(random, "Host of ours", 0.3) {
        text += &part(random, "Host *.aloft fix-login-k3v9.aloft", "  ");
    }
    text += &part(random, &format!("HOST={THEIRS}\n  HostName=192.0.2.1 "), "  ");
    if share(random, "trailing Host *", 0.5) {
        text += &part(random, "Host *", " ");
    }
    if share(random, "Match final", 0.3) {
        text += &part(random, "Match final all", "  ");
    }
    if share(random, "no final newline", 0.4) {
        text.truncate(text.trim_end().len());
    }
    if share(random, "CRLF", 0.3) {
        text = text.replace('\n', "\r\n");
    }
    if share(random, "BOM", 0.1) {
        text.insert(0, '\u{feff}');
    }
    if share(random, "symlink", 0.3) {
        symlink("../dotfiles", home.path(".ssh/config")).unwrap();
    }
    (text.into_bytes(), traits)
}

async fn asked(home: &Home, host: &str) -> Settings {
    ask(Some(&home.path(".ssh/config")), host).await.unwrap()
}

/// What must be so for our hosts, said here once more and not read from what was written.
async fn assert_ours(home: &Home) {
    let proxy = |cloud: &str| {
        let data = home.folder.path().parent().unwrap().display();
        format!("\"/opt/a b/aloft\" ssh-proxy --cloud \"{cloud}\" --data \"{data}\" %h")
    };
    let hosts = [
        (
            "fix-login-k3v9.aloft",
            "k3v9t2m8bcdf.aloft",
            "embedded",
            "known_hosts",
            "id_ed25519-cert.pub",
        ),
        (
            "k3v9t2m8bcdf.aloft",
            "k3v9t2m8bcdf.aloft",
            "embedded",
            "known_hosts",
            "id_ed25519-cert.pub",
        ),
        (
            "add-tests-77f0.work.aloft",
            "77f0d2m8bcdf.aloft",
            "work",
            "known_hosts.work",
            "work-cert.pub",
        ),
        (
            "77f0d2m8bcdf.work.aloft",
            "77f0d2m8bcdf.aloft",
            "work",
            "known_hosts.work",
            "work-cert.pub",
        ),
    ];
    for (host, name, cloud, known, certificate) in hosts {
        let settings = asked(home, host).await;
        let (proxy, key) = (proxy(cloud), home.ours("id_ed25519"));
        let (known, certificate) = (home.ours(known), home.ours(certificate));
        let expected = [
            ("hostname", name),
            ("user", "agent"),
            ("port", "22"),
            ("proxycommand", &proxy),
            ("identityfile", &key),
            ("certificatefile", &certificate),
            ("userknownhostsfile", &known),
            ("stricthostkeychecking", "true"),
            ("identitiesonly", "yes"),
            ("controlmaster", "false"),
            ("requesttty", "auto"),
            ("forwardagent", "no"),
            ("connecttimeout", "60"),
            (
                "ciphers",
                "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
            ),
        ];
        for (option, value) in expected {
            assert_eq!(settings.first(option), Some(value), "{option} of {host}");
        }
        for absent in ["hostkeyalias", "remotecommand", "proxyjump", "controlpath"] {
            assert!(
                settings.first(absent).is_none_or(|value| value == "none"),
                "{absent} of {host}"
            );
        }
    }
}

#[tokio::test]
async fn any_config_gives_ours_for_our_hosts_theirs_for_others_and_comes_back_byte_for_byte() {
    let mut shares: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..CONFIGS {
        let mut random = StdRng::seed_from_u64(seed);
        let home = Home::new(if seed % 2 == 0 { "data" } else { "my data" });
        let (text, traits) = generated(&mut random, &home);
        for name in &traits {
            *shares.entry(name).or_default() += 1;
        }
        let path = home.path(".ssh/config");
        fs::write(&path, &text).unwrap();
        let mode = *[0o600, 0o644, 0o400].choose(&mut random).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let config = home.config();
        if traits.contains(&"BOM") {
            assert!(matches!(config.install().await, Err(Error::Unreadable { .. })), "{seed}");
            assert_eq!(fs::read(&path).unwrap(), text);
            continue;
        }
        let theirs = asked(&home, THEIRS).await;
        // Root writes where it may not; everybody else is told what to add.
        if mode == 0o400 && !rustix::process::geteuid().is_root() {
            assert!(matches!(config.install().await, Err(Error::ReadOnly { .. })), "{seed}");
            assert_eq!(fs::read(&path).unwrap(), text);
            continue;
        }
        config.install().await.unwrap_or_else(|error| {
            panic!("{seed} {traits:?}: {error}\n{}", String::from_utf8_lossy(&text))
        });
        assert_eq!(config.state().unwrap(), State::First);
        assert_ours(&home).await;
        assert_eq!(asked(&home, THEIRS).await, theirs, "{seed}");
        let installed = fs::read(&path).unwrap();
        config.install().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), installed, "a second time changes nothing");
        config.remove().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), text, "{seed}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(fs::symlink_metadata(&path).unwrap().is_symlink(), traits.contains(&"symlink"));
    }
    for (name, count) in &shares {
        println!("{name}: {count} of {CONFIGS}");
    }
    assert_eq!(shares.len(), 13, "{shares:?}");
}

#[tokio::test]
async fn what_was_not_there_is_not_there_afterwards() {
    let home = Home::new("data");
    fs::remove_dir(home.path(".ssh")).unwrap();
    let config = home.config();
    assert_eq!(config.plan_removal().unwrap().map(|change| change.adds), None);
    let Some(Change { adds: true, file, lines }) = config.plan_install().unwrap() else { panic!() };
    assert_eq!(file, home.path(".ssh/config"));
    config.install().await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), lines);
    assert_ours(&home).await;
    let mode = |path: &str| fs::metadata(home.path(path)).unwrap().mode() & 0o777;
    assert_eq!((mode(".ssh"), mode(".ssh/config")), (0o700, 0o600));
    config.remove().await.unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_config_that_was_broken_before_stays_as_it_is() {
    let home = Home::new("data");
    let path = home.path(".ssh/config");
    for broken in ["UseKeychain perhaps\n", "Host a\n  Port x\n"] {
        fs::write(&path, broken).unwrap();
        let error = home.config().install().await.unwrap_err();
        assert!(matches!(&error, Error::Unreadable { said } if said.contains("line")), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
    // Ours can be taken out of one that was broken later.
    fs::write(&path, "Host a\n").unwrap();
    home.config().install().await.unwrap();
    fs::write(&path, format!("{}Nonsense\n", fs::read_to_string(&path).unwrap())).unwrap();
    home.config().remove().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "Host a\nNonsense\n");
}

#[tokio::test]
async fn a_surprise_is_taken_back() {
    let home = Home::new("data");
    let path = home.path(".ssh/config");
    fs::write(&path, "Host *\n  User me\n").unwrap();
    // ssh refuses to read on, as it would with an option that it does not know.
    fs::write(home.folder.config(), "Nonsense\n").unwrap();
    let error = home.config().install().await.unwrap_err();
    assert!(matches!(error, Error::Surprise { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "Host *\n  User me\n");
    fs::remove_file(&path).unwrap();
    assert!(home.config().install().await.is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_person_changed_is_not_touched() {
    let home = Home::new("data");
    let path = home.path(".ssh/config");
    home.config().install().await.unwrap();
    let changed = fs::read_to_string(&path).unwrap().replace("Include", "include");
    fs::write(&path, &changed).unwrap();
    for error in [home.config().install().await, home.config().remove().await] {
        assert!(matches!(error, Err(Error::Changed { line: 2, .. })), "{error:?}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), changed);
}

#[tokio::test]
async fn a_file_with_two_names_is_not_split() {
    let home = Home::new("data");
    fs::write(home.path("dotfiles"), "Host *\n").unwrap();
    fs::hard_link(home.path("dotfiles"), home.path(".ssh/config")).unwrap();
    let error = home.config().install().await.unwrap_err();
    assert!(
        matches!(&error, Error::ReadOnly { lines, .. } if lines.contains("Include")),
        "{error}"
    );
    assert_eq!(fs::read_to_string(home.path("dotfiles")).unwrap(), "Host *\n");
}

#[tokio::test]
async fn a_match_that_never_ends_does_not_hold_us() {
    let home = Home::new("data");
    let path = home.path(".ssh/config");
    let mark = format!("60.{}", std::process::id());
    let slow = format!("Match exec \"sleep {mark}\"\n  User me\n");
    fs::write(&path, &slow).unwrap();
    assert!(matches!(home.config().install().await, Err(Error::Slow { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), slow);
    let runs = || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&mark)
        })
    };
    let began = Instant::now();
    while runs() {
        assert!(began.elapsed() < Duration::from_secs(30), "what ssh started is gone with it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_data_folders_at_once_lose_nothing() {
    let home = Home::new("one");
    let path = home.path(".ssh/config");
    let text = "# mine $& \\1\nHost *\n  User me";
    fs::write(&path, text).unwrap();
    let other = Folder::new(&home.path("other"));
    let known = home.folder.read().unwrap();
    other.change(|hosts| *hosts = known).unwrap();
    let configs = [home.config(), UserConfig::new(&other, home.root.path()).unwrap()];
    let mut writers = tokio::task::JoinSet::new();
    for config in configs.clone() {
        for _ in 0..3 {
            let config = config.clone();
            writers.spawn(async move {
                config.install().await.unwrap();
                config.remove().await.unwrap();
                config.install().await.unwrap();
            });
        }
    }
    writers.join_all().await;
    let both = fs::read_to_string(&path).unwrap();
    assert_eq!(both.matches("Include").count(), 2, "{both}");
    home.config().install().await.unwrap();
    assert_ours(&home).await;
    for config in configs {
        config.remove().await.unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let left: Vec<_> =
        fs::read_dir(home.path(".ssh")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["config"]);
}

#[tokio::test]
async fn what_bends_our_hosts_is_named_with_its_line() {
    let home = Home::new("data");
    let path = home.path(".ssh/config");
    let later = "Host other\n  StdinNull yes\nHost *\n  HostKeyAlias one-for-all\n  SessionType none\n  StdinNull yes\n\
                 \x20 LocalForward 8080 localhost:80\n  IdentityFile ~/.ssh/id_other\n  ForwardAgent yes\n";
    fs::write(&path, later).unwrap();
    home.config().install().await.unwrap();
    let shown = |spoilers: Vec<crate::ssh::Spoiler>| -> Vec<(String, usize)> {
        spoilers
            .into_iter()
            .map(|spoiler| (spoiler.option, spoiler.place.map_or(0, |place| place.1)))
            .collect()
    };
    let found = shown(home.config().spoilers().await.unwrap());
    let expected = [
        ("hostkeyalias", 6),
        ("sessiontype", 7),
        ("stdinnull", 8),
        ("localforward", 9),
        ("identityfile", 10),
    ];
    assert_eq!(found, expected.map(|(option, line)| (option.to_owned(), line)));
    // Our lines below others: those win.
    let moved =
        format!("User root\nStrictHostKeyChecking no\n{}", fs::read_to_string(&path).unwrap());
    fs::write(&path, moved).unwrap();
    let found = shown(home.config().spoilers().await.unwrap());
    assert!(
        found.contains(&("user".to_owned(), 1))
            && found.contains(&("stricthostkeychecking".to_owned(), 2)),
        "{found:?}"
    );
    home.config().install().await.unwrap();
    assert_eq!(home.config().differences().await.unwrap(), []);
}

#[tokio::test]
async fn wishes_of_the_person_win_and_a_key_is_found() {
    let home = Home::new("data");
    home.config().install().await.unwrap();
    fs::write(home.folder.path().join("overrides"), "Host *.aloft\n  ForwardAgent yes\n").unwrap();
    assert_eq!(asked(&home, "fix-login-k3v9.aloft").await.first("forwardagent"), Some("yes"));
    Key::ensure(&home.folder).unwrap();
    assert!(Path::new(&home.ours("id_ed25519")).exists());
}

#[tokio::test]
async fn folders_with_odd_names_work_or_are_refused() {
    for odd in ["a b", "it's", "$HOME", "ü", "100%", "a#b"] {
        let home = Home::new(odd);
        let own = ask(Some(&home.folder.config()), "fix-login-k3v9.aloft").await.unwrap();
        assert_eq!(own.first("hostname"), Some("k3v9t2m8bcdf.aloft"), "{odd}");
        match UserConfig::new(&home.folder, home.root.path()) {
            Ok(config) => {
                config.install().await.unwrap();
                assert_eq!(
                    asked(&home, "fix-login-k3v9.aloft").await.first("user"),
                    Some("agent"),
                    "{odd}"
                );
            }
            Err(error) => assert!(odd == "100%", "{odd}: {error}"),
        }
    }
}
