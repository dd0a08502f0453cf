//! The options of bubblewrap for one sandbox: what it sees of the host, and what it does not. Pure.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sandbox::bubblewrap::layout::{Home, Layout};
use crate::sandbox::bubblewrap::users::INSIDE;
use crate::sandbox::{Error, RELAY_PORT, Result, Spec};

/// Descriptors of bubblewrap: three it keeps for itself; the guest's socket, and the gate the guest waits at, it hands on.
pub(super) const LISTENER: i32 = 4;
pub(super) const INFO: i32 = 5;
pub(super) const SECCOMP: i32 = 6;
pub(super) const OPTIONS: i32 = 7;
pub(super) const GATE: i32 = 8;

/// Sizes of what is kept in memory, in bytes.
const TEMPORARY_BYTES: &str = "1073741824";
const SHARED_MEMORY_BYTES: &str = "67108864";
const RUN_BYTES: &str = "16777216";

/// The least time in which a guest that hears nothing takes its cloud for gone: the cloud is not heard more often than every
/// twenty seconds.
const LONELY: Duration = Duration::from_secs(60);

/// The guest's program inside.
const PROGRAM: &str = "/srv/aloft/aloft-cloud";

/// Of the host's `/etc`: what programs of its `/usr` need, and nothing that can hold a secret.
const OF_ETC: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

/// Directories that are links into `/usr` on most hosts, and real on others.
const MAYBE_LINKS: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What the host is like.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Each of [`MAYBE_LINKS`] that exists, with what it links to.
    pub(super) roots: Vec<(&'static str, Option<PathBuf>)>,
    /// Its bubblewrap can forbid user namespaces inside.
    pub(super) disable_user_namespaces: bool,
    /// The shell of the user inside.
    pub(super) shell: &'static str,
}

impl Host {
    pub(super) fn look(help: &str) -> Self {
        let roots = MAYBE_LINKS.iter().filter(|path| Path::new(path).exists());
        let roots = roots.map(|path| (*path, std::fs::read_link(path).ok())).collect();
        let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
        Self { roots, disable_user_namespaces: help.contains("--disable-userns"), shell }
    }
}

/// The options in the form that `bwrap --args` reads, each ended by a NUL.
pub(super) fn options(
    spec: &Spec,
    layout: &Layout,
    home: &Home,
    program: &Path,
    host: &Host,
) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.add([
        "--unshare-user",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
    ]);
    options.add([
        "--unshare-cgroup-try",
        "--hostname",
        "aloft",
        "--cap-drop",
        "ALL",
        "--new-session",
        "--clearenv",
    ]);
    let inside = INSIDE.to_string();
    options.add(["--uid", &inside, "--gid", &inside]);
    if !spec.nested && host.disable_user_namespaces {
        options.add(["--disable-userns"]);
    }
    system(&mut options, layout, host);
    options.bind("--bind", home.home(), "/home/agent");
    options.bind("--bind", home.workspace(), "/workspace");
    options.bind("--bind", home.workspace(), "/mnt/persist/workspace");
    options.bind("--bind", home.snapshot(), "/srv/aloft/snapshot.git");
    options.bind("--ro-bind", home.relay(), "/run/aloft");
    options.bind("--ro-bind", program, PROGRAM);
    if let Some(mirror) = &spec.mirror {
        options.bind("--ro-bind", mirror, "/srv/aloft/mirror.git");
    }
    for (outside, inside) in &spec.read_only {
        if !inside.is_absolute() {
            return Err(Error::Invalid {
                what: inside.display().to_string(),
                reason: "a path inside must be absolute",
            });
        }
        options.bind("--ro-bind", outside, inside);
    }
    let variables = standard_variables(host);
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in
        variables.chain(spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    {
        if name.is_empty() || name.contains('=') {
            return Err(Error::Invalid {
                what: format!("variable {name:?}"),
                reason: "it is no name of a variable",
            });
        }
        options.add(["--setenv", name, value]);
    }
    options.add(["--chdir", "/workspace"]);
    // Last of what touches files: the root is a file system in memory.
    options.add(["--remount-ro", "/"]);
    options.add(["--info-fd", &INFO.to_string(), "--seccomp", &SECCOMP.to_string()]);
    options.finish()
}

/// The command that bubblewrap runs: the guest, which holds itself to the limit on processes where no group does.
pub(super) fn guest_command(spec: &Spec, limits_itself: bool, outlive: Duration) -> Vec<OsString> {
    let (listener, gate) = (LISTENER.to_string(), GATE.to_string());
    let (port, incarnation) = (RELAY_PORT.to_string(), spec.incarnation.to_string());
    let lonely = outlive.max(LONELY).as_secs().to_string();
    let relay = "/run/aloft/cloud.sock";
    let command = [PROGRAM, "guest", "--listen-fd", &listener, "--relay", relay, "--port", &port];
    let about = ["--gate-fd", &gate, "--sandbox", &spec.id, "--incarnation", &incarnation];
    let alone = ["--lonely-seconds", &lonely];
    let words = command.into_iter().chain(about).chain(alone);
    let mut command: Vec<_> = words.map(OsString::from).collect();
    if limits_itself && spec.limits.processes > 0 {
        command.extend(["--processes".into(), spec.limits.processes.to_string().into()]);
    }
    command
}

/// The read-only system, and what lives in memory.
fn system(options: &mut Options, layout: &Layout, host: &Host) {
    options.bind("--ro-bind", "/usr", "/usr");
    for (path, link) in &host.roots {
        match link {
            Some(target) => options.bind("--symlink", target, path),
            None => options.bind("--ro-bind", path, path),
        }
    }
    options.add(["--proc", "/proc", "--dev", "/dev"]);
    options.add([
        "--perms",
        "1777",
        "--size",
        SHARED_MEMORY_BYTES,
        "--tmpfs",
        "/dev/shm",
        "--remount-ro",
        "/dev",
    ]);
    options.add(["--perms", "1777", "--size", TEMPORARY_BYTES, "--tmpfs", "/tmp"]);
    options.add(["--size", RUN_BYTES, "--tmpfs", "/run"]);
    options.add([
        "--dir",
        "/var",
        "--symlink",
        "/tmp",
        "/var/tmp",
        "--symlink",
        "/run",
        "/var/run",
    ]);
    options.add(["--dir", "/etc"]);
    for path in OF_ETC {
        options.bind("--ro-bind-try", path, path);
    }
    for name in Layout::etc_names() {
        options.bind("--ro-bind", layout.etc(name), Path::new("/etc").join(name));
    }
}

fn standard_variables(host: &Host) -> Vec<(&'static str, String)> {
    let proxy = format!("http://127.0.0.1:{RELAY_PORT}");
    let direct = "localhost,127.0.0.1,::1".to_owned();
    vec![
        // The agent's own directory comes last: what it puts there is not taken for a program of the system.
        (
            "PATH",
            "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/home/agent/.local/bin"
                .to_owned(),
        ),
        ("HOME", "/home/agent".to_owned()),
        ("USER", "agent".to_owned()),
        ("LOGNAME", "agent".to_owned()),
        ("SHELL", host.shell.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "xterm-256color".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("GIT_CONFIG_SYSTEM", "/etc/gitconfig".to_owned()),
        ("HTTP_PROXY", proxy.clone()),
        ("HTTPS_PROXY", proxy.clone()),
        ("NO_PROXY", direct.clone()),
        ("http_proxy", proxy.clone()),
        ("https_proxy", proxy),
        ("no_proxy", direct),
    ]
}

#[derive(Default)]
struct Options {
    bytes: Vec<u8>,
    // A NUL would end one option early and make another of what follows it.
    torn: Option<OsString>,
}

impl Options {
    fn add<const N: usize>(&mut self, options: [&str; N]) {
        for option in options {
            self.push(OsStr::new(option));
        }
    }

    fn bind(&mut self, how: &str, outside: impl AsRef<Path>, inside: impl AsRef<Path>) {
        self.push(OsStr::new(how));
        self.push(outside.as_ref().as_os_str());
        self.push(inside.as_ref().as_os_str());
    }

    fn push(&mut self, option: &OsStr) {
        let bytes = option.as_encoded_bytes();
        if bytes.contains(&0) {
            self.torn = Some(option.to_owned());
        }
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(0);
    }

    fn finish(self) -> Result<Vec<u8>> {
        match self.torn {
            Some(option) => Err(Error::Invalid {
                what: format!("{}", option.display()),
                reason: "it holds a NUL byte",
            }),
            None => Ok(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::sandbox::Limits;
    use crate::sandbox::bubblewrap::arguments::{Host, guest_command, options};
    use crate::sandbox::bubblewrap::layout::Layout;
    use crate::sandbox::{Error, Spec};

    fn words(spec: &Spec) -> Result<Vec<String>, Error> {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(&root.path().join("s"), false).unwrap();
        let host = Host {
            roots: vec![("/bin", Some("usr/bin".into())), ("/lib", None)],
            disable_user_namespaces: true,
            shell: "/bin/sh",
        };
        let home = layout.home(&spec.id).unwrap();
        let bytes = options(spec, &layout, &home, Path::new("/program"), &host)?;
        Ok(bytes
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8(word.to_vec()).unwrap())
            .collect())
    }

    fn has(words: &[String], wanted: &[&str]) -> bool {
        words.windows(wanted.len()).any(|window| window == wanted)
    }

    #[test]
    fn everything_is_unshared_and_read_only() {
        let spec = Spec { id: "a".to_owned(), mirror: Some("/m.git".into()), ..Spec::default() };
        let words = words(&spec).unwrap();
        for namespace in ["user", "pid", "net", "ipc", "uts", "cgroup-try"] {
            assert!(words.contains(&format!("--unshare-{namespace}")), "{namespace}");
        }
        assert!(words.contains(&"--disable-userns".to_owned()));
        assert!(has(&words, &["--cap-drop", "ALL"]));
        assert!(has(&words, &["--ro-bind", "/m.git", "/srv/aloft/mirror.git"]));
        assert!(has(&words, &["--symlink", "usr/bin", "/bin"]));
        assert!(has(&words, &["--ro-bind", "/lib", "/lib"]));
        let last_bind = words.iter().rposition(|word| word.contains("bind")).unwrap();
        let sealed = words.windows(2).position(|pair| pair == ["--remount-ro", "/"]).unwrap();
        assert!(sealed > last_bind);
    }

    #[test]
    fn nested_sandboxes_are_a_choice() {
        let spec = Spec { id: "a".to_owned(), nested: true, ..Spec::default() };
        assert!(!words(&spec).unwrap().contains(&"--disable-userns".to_owned()));
    }

    #[test]
    fn nothing_smuggles_in_an_option() {
        let smuggled = Spec {
            id: "a".to_owned(),
            env: [("A".to_owned(), "b\0--bind\0/\0/host".to_owned())].into(),
            ..Spec::default()
        };
        assert!(matches!(words(&smuggled), Err(Error::Invalid { .. })));
        let name = Spec {
            id: "a".to_owned(),
            env: [("A=B".to_owned(), String::new())].into(),
            ..Spec::default()
        };
        assert!(matches!(words(&name), Err(Error::Invalid { .. })));
        let relative = Spec {
            id: "a".to_owned(),
            read_only: vec![(PathBuf::from("/x"), PathBuf::from("y"))],
            ..Spec::default()
        };
        assert!(matches!(words(&relative), Err(Error::Invalid { .. })));
    }

    #[test]
    fn the_guest_is_told_who_it_is() {
        let limits = Limits { processes: 30, ..Limits::default() };
        let spec = Spec { id: "t1".to_owned(), incarnation: 7, limits, ..Spec::default() };
        let command = guest_command(&spec, false, std::time::Duration::ZERO);
        let about = ["--sandbox", "t1", "--incarnation", "7"];
        assert!(command.windows(4).any(|words| words == about), "{command:?}");
        let command = guest_command(&spec, true, std::time::Duration::ZERO);
        assert_eq!(command[command.len() - 2..], ["--processes", "30"]);
    }
}
