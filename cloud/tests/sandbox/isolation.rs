//! What a sandbox holds back, seen from inside; each with the same look from outside as its control.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};

use aloft_cloud::sandbox::Runtime as _;

use crate::host::{Host, says, shell};
use crate::inside::{look_around, look_from, spec_with_program};

#[tokio::test]
async fn nothing_of_the_host_is_within_reach() {
    let host = Host::new();
    let mirror = host.path("mirror.git");
    fs::create_dir(&mirror).unwrap();
    fs::write(mirror.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let mut spec = spec_with_program(&host, "closed");
    spec.mirror = Some(mirror);
    let _relay = host.runtime.listen("closed").await.unwrap();
    let sandbox = host.start_with(spec).await;
    let inside = look_from(&sandbox).await;
    let outside = look_around();
    let is = |name: &str, expected: &str| assert_eq!(inside[name], expected, "{name}");

    for namespace in ["user", "pid", "net", "ipc", "uts", "cgroup", "mnt"] {
        let name = format!("namespace-{namespace}");
        assert_ne!(inside[&name], outside[&name], "{name}");
    }
    is("CapEff", "0000000000000000");
    is("CapBnd", "0000000000000000");
    is("NoNewPrivs", "1");
    is("Seccomp", "2");
    is("Uid", "1000");
    assert_eq!(outside["Seccomp"], "0");

    is("interfaces", "lo");
    is("connect", "ENETUNREACH");
    for call in ["vsock", "packet", "io-uring", "ptrace", "keyctl", "bpf", "mount", "unshare"] {
        is(call, "EPERM");
    }
    is("inet", "ok");
    // Controls that need no privilege: unhindered, the kernel looks at the arguments.
    for call in ["io-uring", "ptrace", "keyctl"] {
        assert_ne!(outside[call], "EPERM", "{call}");
    }

    is("read:/etc/shadow", "ENOENT");
    is("read:/root", "ENOENT");
    is("read:/home", "agent");
    is("read:/var/lib", "ENOENT");
    is("read:/proc/1/environ", "0 bytes");
    is("read:/srv/aloft/mirror.git/HEAD", "21 bytes");
    assert_ne!(inside["read:/etc/passwd"], outside["read:/etc/passwd"]);
    for closed in ["/", "/usr", "/etc", "/dev", "/run/aloft", "/srv/aloft", "/srv/aloft/mirror.git"]
    {
        is(&format!("write:{closed}"), "EROFS");
    }
    assert_ne!(inside["write:/proc/sys/kernel"], "ok");
    let open = [
        "/workspace",
        "/mnt/persist/workspace",
        "/home/agent",
        "/tmp",
        "/dev/shm",
        "/run",
        "/var/tmp",
    ];
    for open in open.into_iter().chain(["/srv/aloft/snapshot.git"]) {
        is(&format!("write:{open}"), "ok");
    }
    is("relay", "ok");
    // bubblewrap, the guest, the looker.
    is("processes", "3");
    assert!(outside["processes"].parse::<u32>().unwrap() > 3);

    // The test's own surroundings are the canary.
    assert!(outside["variables"].contains("CARGO"));
    assert!(!inside["variables"].contains("CARGO"), "{}", inside["variables"]);
    let directory = host.path("").display().to_string();
    assert!(!inside["descriptors"].contains(&directory), "{}", inside["descriptors"]);
}

#[tokio::test]
async fn descriptors_of_the_cloud_stay_outside() {
    let host = Host::new();
    let canary = host.path("canary");
    let file = fs::File::create(&canary).unwrap();
    // Left open on exec, as some library may leave its own.
    let open = OwnedFd::from(file.try_clone().unwrap());
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
    let sandbox = host.start("descriptors").await;
    let namespace = fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd())).unwrap();
    assert_eq!(namespace, canary);

    let mut seen = 0;
    for process in processes_of(&host, "descriptors") {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else { continue };
        for descriptor in descriptors.flatten() {
            seen += 1;
            let link = fs::read_link(descriptor.path()).unwrap_or_default();
            assert!(!link.starts_with(host.path("")), "{process}: {}", link.display());
        }
    }
    // An ordinary user may not look at these; as root it must have seen some.
    assert!(seen > 0 || !rustix::process::geteuid().is_root());
    assert_eq!(
        says(&sandbox, "echo /proc/self/fd/*").await,
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"
    );
}

#[tokio::test]
async fn the_user_on_the_host_is_never_root_nor_anothers() {
    let host = Host::new();
    let _sandboxes = [host.start("one").await, host.start("two").await];
    let mut users = Vec::new();
    for id in ["one", "two"] {
        for process in processes_of(&host, id) {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            for field in ["Uid:", "Gid:"] {
                let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
                let ids: Vec<u32> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
                assert!(ids.iter().all(|id| *id == ids[0] && *id != 0), "{field} {ids:?}");
                users.push((id, ids[0]));
            }
            assert_eq!(
                status
                    .lines()
                    .find_map(|line| line.strip_prefix("Groups:"))
                    .map(str::trim)
                    .unwrap_or_default(),
                own_groups()
            );
        }
    }
    let of = |wanted| users.iter().filter(move |(id, _)| *id == wanted).map(|(_, user)| *user);
    let same = of("one").any(|one| of("two").any(|two| one == two));
    assert_eq!(same, !rustix::process::geteuid().is_root());
}

#[tokio::test]
async fn two_sandboxes_do_not_see_each_other() {
    let host = Host::new();
    let [one, two] = [host.start("one").await, host.start("two").await];
    says(&one, "echo canary-one > /workspace/secret; echo canary-one > /tmp/secret; echo canary-one > ~/secret").await;
    let found =
        shell(&two, "grep -rl canary-one /workspace /tmp /home /mnt /run /srv 2>/dev/null").await;
    assert_eq!(found.exit_code, Some(1), "{found:?}");
    let control = shell(&one, "grep -rl canary-one /workspace /tmp /home").await;
    assert_eq!(String::from_utf8(control.stdout).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn sandboxes_inside_the_sandbox_only_when_allowed() {
    let host = Host::new();
    let nested = "bwrap --unshare-user --unshare-pid --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
        --symlink usr/lib64 /lib64 --proc /proc --dev /dev /bin/sh -c 'echo nested'";
    let closed = host.start("closed").await;
    let refused = shell(&closed, nested).await;
    assert!(!refused.success(), "{refused:?}");
    let mut spec = crate::host::spec("open");
    spec.nested = true;
    let open = host.start_with(spec).await;
    assert_eq!(says(&open, nested).await, "nested");
}

#[tokio::test]
async fn git_trusts_the_mirror_and_knows_who_commits() {
    let host = Host::new();
    let mirror = host.path("mirror.git");
    let script = "git init -q --bare -b main \"$1\" && cd \"$1\" && tree=$(git hash-object -w -t tree /dev/null) && \
        commit=$(git -c user.name=a -c user.email=a@b commit-tree -m first $tree) && git update-ref refs/heads/main $commit";
    let made =
        std::process::Command::new("sh").args(["-c", script, "sh"]).arg(&mirror).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut spec = crate::host::spec("git");
    spec.mirror = Some(mirror);
    let sandbox = host.start_with(spec).await;
    let script = "git clone -q --shared /srv/aloft/mirror.git /workspace && cd /workspace && echo x > x && git add x && \
        git commit -qm second && git log --format='%an %s' && ! git push -q origin HEAD:main 2>/dev/null";
    assert_eq!(says(&sandbox, script).await, "Aloft second\na first");
}

/// Processes whose pid namespace is below the sandbox's, by the record of what was started.
pub(crate) fn processes_of(host: &Host, id: &str) -> Vec<i32> {
    let record = host.runtime.directory(id).unwrap().join("record.json");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let mut family = vec![i32::try_from(record["init"]["pid"].as_i64().unwrap()).unwrap()];
    let mut next = 0;
    while let Some(pid) = family.get(next) {
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
        next += 1;
    }
    assert!(family.len() > 1, "{family:?}");
    family
}

/// As root, no group at all is left.
fn own_groups() -> String {
    if rustix::process::geteuid().is_root() {
        return String::new();
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().trim().to_owned()
}
