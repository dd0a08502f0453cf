//! What people do with ssh beside a command and a file, each through the config and the tunnel.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    process::{Command, Stdio},
};

use aloft_tests::{
    home::{Home, feed, finish},
    poll,
    ssh::keygen,
};

use super::{Ended, command, ok, prepared, ssh};

#[test]
fn one_connection_lends_a_key_agent_and_leads_back_for_many() {
    let home = Home::new();
    let (_id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);

    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let back = format!("4100:127.0.0.1:{}", outside.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in outside.incoming() {
            let _gone = stream.unwrap().write_all(b"from outside\n");
        }
    });
    let socket = home.path("agent");
    let mut agent = Command::new("ssh-agent");
    agent.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null());
    let _agent = Ended(agent.spawn().unwrap());
    poll::until("the key agent", || socket.exists().then_some(()));
    let mut add = Command::new("ssh-add");
    add.arg(keygen(&home.path("home"), "lent", "lent")).env("SSH_AUTH_SOCK", &socket);
    assert_eq!(finish(add).code, 0);

    let control = home.path("cm");
    let path = format!("ControlPath={}", control.display());
    let words = ["-A", "-R", &back, "-o", "ControlMaster=yes", "-o", &path, "-N", &host];
    let mut master = command(&home, "ssh", &words);
    let _master = Ended(master.env("SSH_AUTH_SOCK", &socket).spawn().unwrap());
    poll::until("the master", || control.exists().then_some(()));
    let line = "cat < /dev/tcp/127.0.0.1/4100";
    assert_eq!(ok(&ssh(&home, &["-o", &path, &host, line])), "from outside\n");
    let mut asking = command(&home, "ssh", &["-A", "-o", &path, &host, "ssh-add -l"]);
    asking.env("SSH_AUTH_SOCK", &socket);
    assert!(ok(&finish(asking)).contains("lent"));
    std::thread::scope(|scope| {
        for number in 0..12 {
            let (home, host, path) = (&home, &host, &path);
            scope.spawn(move || {
                let run = ssh(home, &["-o", path, host, &format!("echo {number}")]);
                assert_eq!(ok(&run), format!("{number}\n"));
            });
        }
    });
}

#[test]
fn much_passes_through_the_tunnel_with_new_keys_on_the_way() {
    let home = Home::new();
    let (_id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let bytes: Vec<u8> = (0..24_u32 << 20).map(|at| (at ^ (at >> 9)).to_le_bytes()[0]).collect();
    let run = feed(command(&home, "ssh", &["-o", "RekeyLimit=2M", &host, "cat"]), &bytes);
    assert!(run.code == 0 && run.stdout == bytes, "{} {}", run.code, run.stderr);
}

#[test]
fn a_folder_is_mounted_through_the_tunnel() {
    let fuse = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if !rustix::process::geteuid().is_root() || fuse.is_err() {
        eprintln!("no mount is possible on this machine: /dev/fuse cannot be opened");
        return;
    }
    let home = Home::new();
    let (_id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let place = home.path("mounted");
    fs::create_dir(&place).unwrap();
    let mut mount = command(&home, "sshfs", &[&format!("{host}:/workspace")]);
    ok(&finish({
        mount.arg(&place);
        mount
    }));
    let read = fs::read_to_string(place.join("made.txt"));
    let mut unmount = Command::new("fusermount3");
    unmount.arg("-u").arg(&place);
    assert_eq!(finish(unmount).code, 0);
    assert_eq!(read.unwrap(), "made\n");
}

#[test]
fn another_implementation_comes_through_the_tunnel() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let shown = finish(command(&home, "ssh", &["-G", &host]));
    let proxy =
        shown.text().lines().find_map(|line| line.strip_prefix("proxycommand ").map(str::to_owned));
    let proxy = proxy.unwrap().replace("%h", &format!("{id}.aloft"));
    fs::write(home.path("client.py"), include_str!("../ssh/clients/paramiko.py")).unwrap();
    let mut client = Command::new("timeout");
    client.args(["120", "/usr/bin/python3"]).arg(home.path("client.py"));
    client.arg(home.path("data/ssh/id_ed25519")).arg(proxy);
    home.dress(&mut client);
    let run = finish(client);
    assert_eq!((run.code, run.text().as_str()), (0, "done\n"), "{}", run.stderr);
}

#[test]
fn another_persons_thread_is_nobodys() {
    let (theirs, mine) = (Home::new(), Home::new());
    let (id, _host) = prepared(&theirs);
    prepared(&mine);
    mine.ok(["setup", "ssh", "--yes"]);
    let run = ssh(&mine, &[&format!("{id}.aloft"), "true"]);
    assert_eq!((run.code, run.stdout.len()), (255, 0), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("aloft: {id}.aloft: ")), "{}", run.stderr);
    assert!(run.stderr.contains("there is no thread"), "{}", run.stderr);
    // Where the way there is known, it is the key that is not: the other cloud's tunnel, my key.
    theirs.ok(["setup", "ssh", "--yes"]);
    let config = fs::read_to_string(theirs.path("data/ssh/config")).unwrap();
    let swapped = config
        .lines()
        .filter(|line| !line.trim_start().starts_with("CertificateFile"))
        .map(|line| {
            if line.trim_start().starts_with("IdentityFile") {
                format!("    IdentityFile {}", mine.path("data/ssh/id_ed25519").display())
            } else {
                line.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let other = theirs.path("home/other");
    fs::write(&other, swapped + "\n").unwrap();
    let mut intruder = Command::new("timeout");
    intruder.args(["60", "ssh", "-F"]).arg(&other).args([&format!("{id}.aloft"), "true"]);
    theirs.dress(&mut intruder);
    let run = finish(intruder);
    assert!(run.code == 255 && run.stderr.contains("Permission denied"), "{}", run.stderr);
}
