//! Files on their way: scp in both its ways, sftp, rsync, git, sshfs.

use std::process::Command;

use aloft_tests::home::{Home, finish};

use super::{noise, thread};

#[test]
fn files_come_and_go_by_every_tool() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let host = format!("{id}.aloft");
    let content = noise(2_000_000);
    let big = person.write("big", &content);
    let big = big.to_str().unwrap();
    for (number, mode) in ["-s", "-O"].into_iter().enumerate() {
        let there = format!("{host}:copied-{number}");
        let run = finish(person.command("scp", ["-q", mode, big, &there]));
        assert_eq!(run.code, 0, "scp {mode}: {}", run.stderr);
        let back = person.path(&format!("back-{number}"));
        let run = finish(person.command("scp", ["-q", mode, &there, back.to_str().unwrap()]));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "scp {mode}");
        assert!(std::fs::read(back).unwrap() == content);
    }
    person.write("batch", b"put big renamed-by-sftp\nchmod 640 renamed-by-sftp\nmkdir made-by-sftp\nls -1\nrename copied-0 moved\nget moved fetched\n");
    let run = finish(person.command("sftp", ["-q", "-b", "batch", &host]));
    assert_eq!(run.code, 0, "{} {}", run.text(), run.stderr);
    assert!(run.text().contains("made-by-sftp") && run.text().contains("renamed-by-sftp"));
    assert!(std::fs::read(person.path("fetched")).unwrap() == content);
    let modes =
        person.ok(&id, &["stat -c '%a %s' renamed-by-sftp; cmp moved copied-1 && echo same"]);
    assert_eq!(modes, format!("640 {}\nsame\n", content.len()));

    // rsync sends only what differs; size and second of both files may be the same.
    let mut changed = content;
    changed[1_000_000] ^= 1;
    person.write("big", &changed);
    let shell = format!("ssh -F {}", person.path("config").display());
    let mut rsync = Command::new("rsync");
    rsync.args([
        "-t",
        "--checksum",
        "--no-whole-file",
        "--stats",
        "-e",
        &shell,
        big,
        &format!("{host}:moved"),
    ]);
    home.dress(&mut rsync);
    let run = finish(rsync);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let literal = run.text().lines().find_map(|line| {
        line.strip_prefix("Literal data: ")?.split(' ').next()?.replace(',', "").parse::<u64>().ok()
    });
    assert!(literal.is_some_and(|bytes| bytes < 100_000), "{}", run.text());
    let back = person.ssh(&id, &["cat moved"]);
    assert!(back.stdout == changed);
}

#[test]
fn a_repository_is_cloned_from_the_sandbox_and_pushed_back() {
    let home = Home::new();
    let (id, person) = thread(&home);
    person.ok(&id, &["git add -A && git -c user.name=a -c user.email=a@localhost commit -qm made"]);
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words).current_dir(person.path("."));
        home.dress(&mut command);
        command.env("GIT_SSH_COMMAND", format!("ssh -F {}", person.path("config").display()));
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        let run = finish(command);
        assert_eq!(run.code, 0, "git {words:?}: {}", run.stderr);
        run.text()
    };
    git(&["clone", "-q", &format!("{id}.aloft:/workspace"), "clone"]);
    assert_eq!(std::fs::read_to_string(person.path("clone/made")).unwrap(), "hello\n");
    std::fs::write(person.path("clone/made"), "pushed\n").unwrap();
    let identity = ["-c", "user.name=b", "-c", "user.email=b@localhost"];
    git(&[&["-C", "clone"], &identity[..], &["commit", "-qam", "pushed"]].concat());
    git(&["-C", "clone", "push", "-q", "origin", "HEAD:refs/heads/by-ssh"]);
    assert_eq!(person.ok(&id, &["git show by-ssh:made"]), "pushed\n");
}

#[test]
fn a_folder_of_the_sandbox_is_mounted() {
    let fuse = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if !rustix::process::geteuid().is_root() || fuse.is_err() {
        // Mounting needs root here and a device that containers may lack; sftp itself is tested above.
        eprintln!("no mount is possible on this machine: /dev/fuse cannot be opened");
        return;
    }
    let home = Home::new();
    let (id, person) = thread(&home);
    let place = person.path("mounted");
    std::fs::create_dir(&place).unwrap();
    let mut sshfs = Command::new("timeout");
    sshfs.args(["60", "sshfs", "-F"]).arg(person.path("config"));
    sshfs.arg(format!("{id}.aloft:/workspace")).arg(&place);
    home.dress(&mut sshfs);
    let run = finish(sshfs);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let read = std::fs::read_to_string(place.join("made"));
    let written = std::fs::write(place.join("by-sshfs"), "written\n");
    let mut unmount = Command::new("fusermount3");
    unmount.arg("-u").arg(&place);
    let unmounted = finish(unmount);
    assert_eq!(read.unwrap(), "hello\n");
    written.unwrap();
    assert_eq!(unmounted.code, 0, "{}", unmounted.stderr);
    assert_eq!(person.ok(&id, &["cat by-sshfs"]), "written\n");
}
