//! What an agent inside a sandbox can reach of the world outside: nothing that is not its own.
//!
//! Each probe runs inside, as the agent, and its positive control outside, where it must succeed: a probe that can never
//! succeed proves nothing.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use aloft_tests::{
    git::{fingerprint, git},
    home::{Home, items},
};

/// One thread to probe from.
struct Inside {
    home: Home,
    id: String,
}

impl Inside {
    fn new() -> Self {
        let home = Home::new();
        let thread = home.shell(&home.repository(), "auto", "$ true");
        let id = thread["id"].as_str().unwrap().to_owned();
        Self { home, id }
    }

    /// Runs a command inside; gives its exit code and what it printed.
    fn run(&self, command: &str) -> (i64, String) {
        let prompt = format!("````sh\n{command}\n````");
        let run = self.home.run(["send", &self.id, "--wait", &prompt]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let shown = self.home.show(&self.id);
        let item = (*items(&shown, "commandExecution").last().unwrap()).clone();
        (item["exitCode"].as_i64().unwrap_or(-1), item["output"].as_str().unwrap().to_owned())
    }

    /// The probe succeeds outside and fails inside.
    fn only_outside(&self, probe: &str) {
        let (code, output) = outside(probe);
        assert_eq!(code, 0, "outside: {probe}\n{output}");
        let (code, output) = self.run(probe);
        assert_ne!(code, 0, "inside: {probe}\n{output}");
    }
}

fn outside(probe: &str) -> (i32, String) {
    let output = Command::new("bash").args(["-c", probe]).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// A command that reads a path and prints what is there.
fn reads(path: &Path) -> String {
    format!("cat '{}'", path.display())
}

#[test]
fn no_file_of_the_host_can_be_read() {
    let inside = Inside::new();
    let home = &inside.home;
    let key = home.path("home/.ssh/id_ed25519");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    fs::write(&key, "private").unwrap();
    let loose = home.path("loose");
    fs::write(&loose, "anyone may read this").unwrap();
    let repository = home.path("repository");
    let config = home.path("config/config.toml");
    for path in [&key, &loose, &repository.join("README.md"), &config] {
        inside.only_outside(&reads(path));
    }
    for path in ["/etc/hostname", "/proc/1/environ", "/etc/fstab", "/etc/machine-id"] {
        if fs::read(path).is_ok_and(|content| !content.is_empty()) {
            // What is there under the same name is the sandbox's own.
            let (_, theirs) = inside.run(&format!("cat {path}"));
            let ours = outside(&format!("cat {path}")).1;
            assert_ne!(theirs.trim(), ours.trim(), "{path}");
        }
    }
    let (_, top) = inside.run("ls -A /");
    for name in ["root", "boot", "mnt/host", "media", "opt"] {
        let (_, below) = inside.run(&format!("ls -A /{name} 2>/dev/null"));
        assert_eq!(below, "", "/{name} of {top}");
    }
}

#[test]
fn what_the_cloud_keeps_is_out_of_reach() {
    let inside = Inside::new();
    let home = &inside.home;
    for file in ["data/cloud/store.db", "data/cloud/secret.key", "data/cloud/cloud.log"] {
        inside.only_outside(&reads(&home.path(file)));
    }
    let snapshot = home.path(&format!("data/cloud/snapshots/{}.git/HEAD", inside.id));
    inside.only_outside(&reads(&snapshot));
    let socket = fs::read_dir(home.path("run")).unwrap().flatten().next().unwrap().path();
    inside.only_outside(&format!("test -e '{}'", socket.display()));
}

#[test]
fn another_thread_is_out_of_reach() {
    let inside = Inside::new();
    let home = &inside.home;
    let canary = home.mark("canary");
    let prompt = format!(
        "$ echo {canary} > secret.txt; echo {canary} > $HOME/secret; git add -A; git commit -qm {canary}
$ exec bash -c 'exec -a {canary}-rests sleep 1000'"
    );
    let other = home.begin(&home.path("repository"), "auto", &prompt);
    // The command before it has the word in its own line too.
    Home::wait_processes(&format!("{canary}-rests"), 1);
    let workspace = home.workspace(&other);
    inside.only_outside(&reads(&workspace.join("secret.txt")));
    inside.only_outside(&reads(&workspace.parent().unwrap().join("home/secret")));
    inside.only_outside(&format!("test -e '{}/snapshot'", workspace.parent().unwrap().display()));
    // Its process is seen outside, not inside. The probe itself must not hold the word.
    let (half, rest) = canary.split_at(canary.len() / 2);
    inside.only_outside(&format!(
        "a={half}; b={rest}; for p in /proc/[0-9]*; do if tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q \"$a$b\"; then exit 0; fi; done; exit 1"
    ));
    // No commit of it is in the objects that are shared.
    let commit = git_of(&workspace, &["rev-parse", "HEAD"]);
    let (code, _) = inside.run(&format!("git cat-file -t {commit}"));
    assert_ne!(code, 0);
    // Nor anywhere inside.
    let (code, found) = inside.run(&format!("a={half}; b={rest}; grep -rlsI \"$a$b\" /workspace /home /srv /run /tmp /etc | head; exit 0"));
    assert_eq!((code, found.as_str()), (0, ""));
}

#[test]
fn the_host_has_no_process_inside() {
    let inside = Inside::new();
    let own = std::process::id();
    let line = format!("/proc/{own}/cmdline");
    assert!(fs::read(&line).is_ok());
    let (_, seen) = inside.run("for p in /proc/[0-9]*; do readlink $p/exe; done; exit 0");
    let own_program = std::env::current_exe().unwrap();
    assert!(!seen.contains(own_program.to_str().unwrap()), "{seen}");
    let (_, count) = inside.run("ls -d /proc/[0-9]* | wc -l");
    assert!(count.trim().parse::<u32>().unwrap() < 20, "{count}");
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let (_, theirs) = inside.run(&format!("readlink /proc/self/ns/{kind}"));
        let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(theirs.trim(), ours.to_str().unwrap(), "{kind}");
        assert!(theirs.starts_with(kind), "{theirs}");
    }
}

#[test]
fn there_is_no_network() {
    let inside = Inside::new();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect =
        |address: &str, port: u16| format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}'");
    inside.only_outside(&connect("127.0.0.1", port));
    // A control inside: the one port there is can be reached in this very way.
    assert_eq!(inside.run(&connect("127.0.0.1", 3128)).0, 0);
    // By the address of this machine too, where it has one.
    let address = outside("hostname -I | cut -d' ' -f1").1;
    if address.trim().parse::<std::net::IpAddr>().is_ok() {
        let address = address.trim();
        inside.only_outside(&connect(address, port));
    }
    let (_, interfaces) = inside.run("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
    assert_eq!(interfaces, "lo\n");
    assert!(outside("tail -n +3 /proc/net/dev").1.lines().count() >= 1);
    let (code, said) = inside.run("timeout 10 getent ahosts example.com");
    assert_ne!(code, 0, "{said}");
    let (code, _) = inside.run("getent ahosts localhost");
    assert_eq!(code, 0);
    // A proxy is named, and refuses.
    let proxy = "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT example.com:443 HTTP/1.1\\r\\nHost: example.com:443\\r\\n\\r\\n' >&3; head -n 1 <&3";
    let (_, answer) = inside.run(&format!("bash -c \"{}\"", proxy.replace('"', "\\\"")));
    assert!(
        answer.contains(" 403") || answer.contains(" 502") || answer.contains(" 405"),
        "{answer}"
    );
}

#[test]
fn dangerous_sockets_cannot_be_opened() {
    let inside = Inside::new();
    let open = |family: i32, kind: i32| {
        format!("perl -e 'socket(my $s, {family}, {kind}, 0) or die \"$!\\n\"'")
    };
    // A control inside: an ordinary socket works, so perl does.
    let (code, said) = inside.run(&open(libc::AF_UNIX, libc::SOCK_STREAM));
    assert_eq!(code, 0, "{said}");
    for (family, kind) in [(libc::AF_VSOCK, libc::SOCK_STREAM), (libc::AF_PACKET, libc::SOCK_RAW)] {
        let (code, said) = inside.run(&open(family, kind));
        assert_ne!(code, 0, "{family}");
        assert_eq!(said, "Operation not permitted\n");
        // Outside, where the kernel has it, it is not refused by us.
        let (_, said) = outside(&open(family, kind));
        let is_root = rustix::process::getuid().is_root();
        let roots_alone = family == libc::AF_PACKET;
        assert!(!said.contains("not permitted") || (roots_alone && !is_root), "{said}");
    }
}

#[test]
fn nobody_inside_is_root_on_the_host() {
    let inside = Inside::new();
    let (_, id) = inside.run("id -u");
    assert_eq!(id, "1000\n");
    let (_, status) =
        inside.run("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status");
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(u64::from_str_radix(&value("CapEff"), 16).unwrap(), 0);
    assert_eq!(u64::from_str_radix(&value("CapBnd"), 16).unwrap(), 0);
    assert_eq!((value("NoNewPrivs"), value("Seccomp")), ("1".to_owned(), "2".to_owned()));
    // As the host sees it.
    let mark = inside.home.mark("who");
    inside.run(&format!("(setsid bash -c 'exec -a {mark} sleep 1000' > /dev/null 2>&1 &)"));
    let pid = Home::wait_processes(&mark, 1)[0];
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let owners = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(owners.split_whitespace().skip(1).all(|uid| uid != "0"), "{owners}");
    let (code, _) = inside.run("unshare -U true");
    assert_ne!(code, 0, "a user namespace inside would give capabilities");
}

#[test]
fn what_is_shared_cannot_be_written() {
    let inside = Inside::new();
    let mirrors = inside.home.path("s/mirrors");
    let before = fingerprint(&mirrors);
    let (_, mirror) = inside.run("ls /srv/aloft/mirror.git");
    assert!(mirror.contains("objects"), "{mirror}");
    let targets = [
        "/srv/aloft/mirror.git/x",
        "/srv/aloft/mirror.git/objects/x",
        "/srv/aloft/mirror.git/refs/heads/x",
        "/usr/x",
        "/etc/x",
        "/x",
        "/srv/aloft/x",
    ];
    for target in targets {
        let (code, said) = inside.run(&format!("touch {target}"));
        assert_ne!(code, 0, "{target} {said}");
    }
    for target in ["/srv/aloft/aloft-cloud", "/srv/aloft/mirror.git/HEAD", "/etc/passwd"] {
        let (code, _) = inside.run(&format!("sh -c 'echo x >> {target}'"));
        assert_ne!(code, 0, "{target}");
    }
    let (code, _) =
        inside.run("git --git-dir /srv/aloft/mirror.git update-ref refs/heads/evil HEAD");
    assert_ne!(code, 0);
    assert_eq!(fingerprint(&mirrors), before);
    // A control inside: its own places can be written.
    for target in ["/workspace/x", "$HOME/x", "/tmp/x"] {
        assert_eq!(inside.run(&format!("touch {target}")).0, 0, "{target}");
    }
}

#[test]
fn a_workspace_that_attacks_is_only_read_inside() {
    let inside = Inside::new();
    let trap = inside.home.path("trap");
    let attack = format!(
        "printf '#!/bin/sh\\ntouch {0}\\n' > /workspace/evil; chmod +x /workspace/evil
git config core.fsmonitor /workspace/evil; git config core.hooksPath /workspace; git config diff.external /workspace/evil
git config filter.x.clean /workspace/evil; git config core.sshCommand /workspace/evil; git config core.pager /workspace/evil
echo '* filter=x diff=x' > .gitattributes; git config diff.x.textconv /workspace/evil
for h in pre-commit post-commit post-checkout reference-transaction; do cp evil $h; done; echo more >> README.md",
        trap.display()
    );
    assert_eq!(inside.run(&attack).0, 0);
    inside.run("echo once more >> README.md; exit 0");
    let id = &inside.id;
    inside.home.ok(["diff", id]);
    inside.home.ok(["diff", id, "--uncommitted"]);
    inside.home.ok(["apply", id, "--path", inside.home.path("repository").to_str().unwrap()]);
    inside.home.ok([
        "checkout",
        id,
        "--path",
        inside.home.path("repository").to_str().unwrap(),
        "--branch",
        "got",
        "--no-switch",
    ]);
    assert!(!trap.exists());
}

/// Runs git in a workspace for the test's own eyes.
fn git_of(workspace: &Path, args: &[&str]) -> String {
    let safe = format!("safe.directory={}", workspace.display());
    git(workspace, &[&["-c", &safe], args].concat())
}
