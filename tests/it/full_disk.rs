//! A full disk. Under the cloud's own records: one clear error, nothing lost that was acknowledged, and it goes on once there is
//! room again. Under the sandboxes: the turn that fills it is stopped, and the others go on.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use aloft_tests::{
    home::{Home, assert_whole, finish, items},
    poll,
};

/// Starts the embedded cloud with a folder on a small disk of its own, which only it and this test see; gives the place to look
/// at that disk from outside.
fn on_a_small_disk(home: &Home, folder: &str, megabytes: u32) -> PathBuf {
    let data = home.path(folder);
    std::fs::create_dir_all(&data).unwrap();
    let start = home.command(["cloud", "start"]);
    let mount = format!(
        "mount -t tmpfs -o size={megabytes}m,mode=711 tmpfs \"$1\" && shift && exec \"$@\""
    );
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut command = Command::new("unshare");
    // Only root may mount: somebody else becomes it in a namespace of their own first, and themselves again afterwards.
    let again = if user.is_root() {
        command.arg("--mount");
        Vec::new()
    } else {
        command.args(["--user", "--map-root-user", "--mount"]);
        vec![
            "unshare".to_owned(),
            "--user".to_owned(),
            format!("--map-user={}", user.as_raw()),
            format!("--map-group={}", group.as_raw()),
        ]
    };
    command.args(["sh", "-c", &mount, "mount"]).arg(&data).args(again);
    command.arg(start.get_program()).args(start.get_args());
    home.dress(&mut command);
    let run = finish(command);
    assert_eq!(run.code, 0, "{}\n{}", run.text(), run.stderr);
    let inside = data.strip_prefix("/").unwrap().to_owned();
    Path::new("/proc").join(home.cloud_pid().to_string()).join("root").join(inside)
}

#[test]
fn a_full_disk_refuses_clearly_and_loses_nothing() {
    let home = Home::new();
    let disk = on_a_small_disk(&home, "data/cloud", 64);
    assert!(disk.join("cloud.lock").exists() || disk.read_dir().unwrap().next().is_some());
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ echo before");
    let id = thread["id"].as_str().unwrap();
    let noisy = home.mark("noisy");
    let talks = home.begin(
        &repository,
        "auto",
        &format!("$ : {noisy}; while :; do seq 1000; sleep 0.02; done"),
    );
    Home::wait_processes(&noisy, 1);
    let before = home.events(id);

    let mut filler = File::create(disk.join("filler")).unwrap();
    let block = vec![0_u8; 64 << 10];
    while filler.write_all(&block).is_ok() {}
    // The log keeps some room for what is small; it ends too.
    let error = poll::until("the disk to be full for a message", || {
        let run =
            home.run(["send", id, "--queue", &format!("$ echo {}", "x".repeat(100_000)), "--json"]);
        (run.code != 0).then(|| run.text())
    });
    assert!(error.contains("STORE_FULL") && error.contains("hint"), "{error}");
    // Reading needs no room.
    assert_eq!(home.show(id)["thread"]["id"], id);
    let full = home.events(id);
    assert_eq!(full[..before.len()], before);

    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    poll::until("a message to be taken again", || {
        (home.run(["send", id, "$ echo after", "--queue", "--wait"]).code == 0).then_some(())
    });
    let shown = home.show(id);
    let outputs: Vec<_> =
        items(&shown, "commandExecution").iter().map(|item| item["output"].clone()).collect();
    assert_eq!(outputs.first().unwrap(), "before\n");
    assert_eq!(outputs.last().unwrap(), "after\n");
    let events = home.events(id);
    assert_whole(&events);
    assert_eq!(events[..full.len()], full);
    // The one that wrote while there was no room was held up, not ended, and its log is whole.
    home.ok(["stop", &talks]);
    assert_eq!(home.wait_turn(&talks, 1)["state"], "interrupted");
    assert_whole(&home.events(&talks));
    assert_eq!(Home::processes_with(&noisy), [0; 0]);
}

#[test]
fn the_turn_that_fills_the_disk_of_the_sandboxes_is_stopped_and_the_others_go_on() {
    let home = Home::new();
    home.configure("diskReserveMib = 16\n");
    let disk = on_a_small_disk(&home, "s", 256);
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ echo before");
    let id = thread["id"].as_str().unwrap();
    let quiet = home.mark("quiet");
    let beside = home.begin(&repository, "auto", &format!("$ : {quiet}; sleep 1000"));
    Home::wait_processes(&quiet, 1);
    let greedy = home.begin(
        &repository,
        "auto",
        "$ while head -c 1000000 /dev/zero >> all; do sleep 0.01; done; sleep 1000",
    );
    let turn = home.wait_turn(&greedy, 1);
    assert_eq!(turn["error"]["reason"], "DISK_FULL", "{turn}");
    assert!(turn["error"]["hint"].as_str().unwrap().contains("free space"), "{turn}");
    assert_eq!(Home::processes_with(&quiet).len(), 1, "the one beside it goes on");

    // Without any room at all there is still a way out.
    let mut filler = File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    let run = home.run([
        "new",
        "--agent",
        "shell",
        "--repo",
        repository.to_str().unwrap(),
        "--wait",
        "--json",
        "$ true",
    ]);
    assert_ne!(run.code, 0, "{}", run.text());
    assert!(run.text().contains("DISK_FULL"), "{}", run.text());
    drop(filler);
    home.ok(["delete", &greedy, "--yes"]);
    home.wait_gone(&greedy);
    home.ok(["send", id, "--wait", "$ echo after"]);
    home.ok(["stop", &beside]);
    assert_eq!(Home::processes_with(&quiet), [0; 0]);
}
