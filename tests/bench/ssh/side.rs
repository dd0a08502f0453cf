//! One server to measure, and how the client comes to it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aloft_tests::{
    home::{Home, finish, kill, program},
    poll,
    remote::free_port,
    ssh::{Person, keygen},
};
use anyhow::{Context as _, bail, ensure};

use crate::ssh::moving;

/// OpenSSH's server, where distributions have it.
pub(super) const SSHD: &str = "/usr/sbin/sshd";

/// OpenSSH's server in the foreground, ended with the measure.
#[derive(Debug)]
pub(super) struct Reference {
    port: u16,
    child: Child,
    group: Option<PathBuf>,
}

/// One way to a server.
#[derive(Debug)]
pub(super) struct Side {
    config: PathBuf,
    /// Where the server keeps the files that are moved.
    folder: String,
}

impl Reference {
    /// Starts it, with the same share of the processors that the sandbox of `guest` has.
    pub(super) fn start(home: &Home, person: &Person<'_>, guest: i32) -> anyhow::Result<Self> {
        if rustix::process::geteuid().is_root() {
            // Where it shuts itself in before somebody has entered.
            std::fs::create_dir_all("/run/sshd")?;
        }
        let port = free_port();
        let key = keygen(&person.path("."), "sshd-key", "sshd");
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PermitRootLogin yes\nMaxStartups 1000\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
            key.display(),
            person.key().with_extension("pub").display(),
        );
        std::fs::write(home.path("sshd_config"), text)?;
        let mut command = Command::new(SSHD);
        command.args(["-D", "-f"]).arg(home.path("sshd_config"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        let group = share_of(guest).and_then(|group| join(&group, child.id()));
        poll::until("sshd to listen", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        });
        Ok(Self { port, child, group })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        kill(self.child.id().cast_signed(), libc::SIGTERM);
        let _reaped = self.child.wait();
        if let Some(group) = &self.group {
            let _held_by_what_it_started = std::fs::remove_dir(group);
        }
    }
}

/// The group of the first kind of control groups in which the processes of a sandbox share the processors with others.
fn share_of(pid: i32) -> Option<PathBuf> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.split_once(":cpu:")).map(|(_, group)| group)?;
    (group.len() > 1).then(|| PathBuf::from(format!("/sys/fs/cgroup/cpu{group}")))
}

/// Puts a process into a group like this one.
fn join(like: &Path, pid: u32) -> Option<PathBuf> {
    let group = like.with_file_name(format!("aloft-bench-{pid}"));
    std::fs::create_dir(&group).ok()?;
    for file in ["cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"] {
        let value = std::fs::read_to_string(like.join(file)).ok()?;
        let _as_it_was = std::fs::write(group.join(file), value.trim());
    }
    std::fs::write(group.join("cgroup.procs"), pid.to_string()).ok()?;
    Some(group)
}

impl Side {
    /// The guest's server, by its own socket.
    pub(super) fn ours(person: &Person<'_>, socket: &Path) -> anyhow::Result<Self> {
        Self::direct(person, "ours", "agent", &format!("guest {}", socket.display()), "/tmp")
    }

    /// OpenSSH's server.
    pub(super) fn openssh(person: &Person<'_>, reference: &Reference) -> anyhow::Result<Self> {
        let id = Command::new("id").arg("-un").output()?;
        let user = String::from_utf8(id.stdout)?;
        let folder = person.path("moved");
        std::fs::create_dir_all(&folder)?;
        let folder = folder.display().to_string();
        Self::direct(person, "sshd", user.trim(), &format!("tcp {}", reference.port), &folder)
    }

    fn direct(
        person: &Person<'_>,
        name: &str,
        user: &str,
        place: &str,
        folder: &str,
    ) -> anyhow::Result<Self> {
        let config = person.path(&format!("{name}.config"));
        let mut text = format!("Host h\n    User {user}\n    ProxyUseFdpass yes\n");
        writeln!(text, "    ProxyCommand \"{}\" {place}", program("test-dial").display())?;
        writeln!(text, "    IdentityFile {}\n    IdentitiesOnly yes", person.key().display())?;
        text.push_str("    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n");
        text.push_str(
            "    GlobalKnownHostsFile /dev/null\n    LogLevel ERROR\n    ControlPath none\n",
        );
        std::fs::write(&config, text)?;
        Ok(Self { config, folder: folder.to_owned() })
    }

    /// The guest's server as a person reaches it: `aloft ssh-proxy`, the cloud, the guest.
    pub(super) fn whole(home: &Home, id: &str) -> anyhow::Result<Self> {
        home.ok(["setup", "ssh", "--yes"]);
        let config = home.path("whole.config");
        let generated = std::fs::read_to_string(home.path("data/ssh/config"))?;
        // The same stanza under the name that the other sides have.
        let named = generated.replace("Host *.aloft", "Host h *.aloft");
        ensure!(named != generated, "the generated config has no pattern");
        std::fs::write(&config, format!("Host h\n    HostName {id}.aloft\n{named}"))?;
        Ok(Self { config, folder: "/tmp".to_owned() })
    }

    /// A client of this server.
    pub(super) fn command(&self, options: &[&str], line: Option<&str>) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(&self.config).args(options).arg("h");
        command.args(line);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a command there, to its end.
    pub(super) fn run(&self, options: &[&str], line: &str) -> anyhow::Result<Duration> {
        timed(self.command(options, Some(line)))
    }

    /// Its configuration.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Where the server keeps the files that are moved.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// Puts there what the transfers need: a file, and a program that speaks on a port.
    pub(super) fn prepare(&self) -> anyhow::Result<()> {
        let folder = &self.folder;
        let script = aloft_tests::home::feed(
            {
                let line = format!(
                    "cd '{folder}' && head -c {} /dev/zero > file && cat > peer.py",
                    moving::BYTES
                );
                let mut command = self.command(&[], Some(&line));
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                command
            },
            moving::PEER.as_bytes(),
        );
        ensure!(script.code == 0, "{}", script.stderr);
        // It ends by itself when nobody has come for long.
        let start = format!(
            "cd '{folder}' && (setsid python3 peer.py port {} > /dev/null 2>&1 < /dev/null &) && \
             while ! test -s port; do sleep 0.05; done",
            moving::BYTES
        );
        self.run(&[], &start)?;
        Ok(())
    }

    /// The port of that program.
    pub(super) fn peer(&self) -> anyhow::Result<u16> {
        let mut command = self.command(&[], Some(&format!("cat '{}/port'", self.folder)));
        command.stdout(Stdio::piped());
        let run = finish(command);
        run.text().trim().parse().context("no port")
    }
}

/// Runs a command to its end, which must be a good one.
pub(super) fn timed(mut command: Command) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed();
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(took)
}

/// The guest of a thread: its process and its socket, as this machine sees them.
pub(super) fn guest_of(id: &str) -> anyhow::Result<(i32, PathBuf)> {
    // The sandbox's first process has it in its command line too; the guest is the younger one.
    let mark = format!("--sandbox\0{id}");
    let pid = poll::until("the guest", || Home::processes_with(&mark).into_iter().max());
    let sockets = std::fs::read_to_string("/proc/net/unix")?;
    let socket = sockets
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().last())
        .find(|path| path.ends_with(&format!("/{id}/guest/sock")))
        .context("the guest listens nowhere")?;
    Ok((pid, socket.into()))
}

/// Memory of a process that lies in RAM and is its own, in KiB.
pub(super) fn resident(pid: i32) -> anyhow::Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
