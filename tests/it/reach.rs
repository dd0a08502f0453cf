//! A person's own ssh at a sandbox: through the config that `aloft` writes and the tunnel that it carries, with nothing of
//! ours in the environment.

mod aliases;
mod beside;
mod cut;
mod elsewhere;
mod proxied;
mod relay;
mod vscode;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use aloft_proto::v1::RevokeSshKeyRequest;
use aloft_tests::{
    cloud,
    home::{Home, Run, feed, finish, kill, program},
    poll,
    ssh::block,
};
use relay::Relay;

/// What a person had before.
const OWN: &str =
    "# mine\nUser root\nHost *\n  RemoteCommand tmux\n  RequestTTY force\n  ProxyJump gate.invalid";

/// A home with a config of ssh, and one thread.
fn prepared(home: &Home) -> (String, String) {
    fs::create_dir(home.path("home/.ssh")).unwrap();
    fs::write(config(home), OWN).unwrap();
    let thread = home.shell(&home.repository(), "auto", "$ echo made > made.txt");
    let word = |name: &str| thread[name].as_str().unwrap().to_owned();
    (word("id"), format!("{}.aloft", word("slug")))
}

fn config(home: &Home) -> PathBuf {
    home.path("home/.ssh/config")
}

/// One of OpenSSH's programs with the person's config, as an editor that was started from a desktop has it.
fn command(home: &Home, name: &str, words: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "120", name, "-F"]).arg(config(home)).args(words);
    home.dress(&mut command);
    for ours in ["ALOFT_CONFIG_DIR", "ALOFT_DATA_DIR", "ALOFT_RUNTIME_DIR"] {
        command.env_remove(ours);
    }
    command.current_dir(home.path("home")).stdin(Stdio::null());
    command
}

fn ssh(home: &Home, words: &[&str]) -> Run {
    finish(command(home, "ssh", words))
}

fn ok(run: &Run) -> String {
    assert_eq!(run.code, 0, "{} {}", run.text(), run.stderr);
    run.text()
}

#[test]
fn one_line_makes_every_program_reach_the_sandbox_and_goes_without_a_trace() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    let shown = home.ok(["setup", "ssh", "--dry-run"]);
    assert!(shown.contains("+ Include") && fs::read_to_string(config(&home)).unwrap() == OWN);
    assert_eq!(home.fails(2, ["setup", "ssh"])["reason"], "USAGE");
    assert_eq!(home.run(["setup", "ssh", "--check"]).code, 1);
    home.ok(["setup", "ssh", "--yes"]);
    home.ok(["setup", "ssh", "--check"]);

    let run = ssh(&home, &[&host, "cat /workspace/made.txt; exit 7"]);
    assert_eq!((run.code, run.text().as_str()), (7, "made\n"), "{}", run.stderr);
    ok(&ssh(&home, &[&format!("{id}.aloft"), "true"]));
    let bytes = vec![7; 200_000];
    let echoed = feed(command(&home, "ssh", &[&host, "cat"]), &bytes);
    assert_eq!(echoed.stdout, bytes, "{}", echoed.stderr);

    let file = home.path("home/up");
    fs::write(&file, "by hand\n").unwrap();
    let (up, far) = (file.to_str().unwrap(), format!("{host}:/workspace/up"));
    ok(&finish(command(&home, "scp", &["-q", up, &far])));
    ok(&finish(command(&home, "scp", &["-q", "-O", &far, "down"])));
    assert_eq!(fs::read_to_string(home.path("home/down")).unwrap(), "by hand\n");
    let batch =
        feed(command(&home, "sftp", &["-q", "-b", "-", &host]), b"get /workspace/made.txt\n");
    ok(&batch);
    assert_eq!(fs::read_to_string(home.path("home/made.txt")).unwrap(), "made\n");
    let shell = format!("ssh -F {}", config(&home).display());
    let mut clone = Command::new("git");
    clone.args(["clone", "-q", &format!("{host}:/workspace"), "clone"]);
    home.dress(&mut clone);
    ok(&finish({
        clone.current_dir(home.path("home")).env("GIT_SSH_COMMAND", &shell);
        clone
    }));
    assert!(home.path("home/clone/README.md").exists());
    let mut sync = Command::new("rsync");
    home.dress(&mut sync);
    sync.current_dir(home.path("home")).args([
        "-a",
        "-e",
        &shell,
        &format!("{host}:/workspace/"),
        "synced",
    ]);
    ok(&finish(sync));
    assert!(home.path("home/synced/made.txt").exists());

    let run = home.run(["ssh", &id, "--", "sh", "-c", "echo '$HOME'; exit 5"]);
    assert_eq!((run.code, run.text().as_str()), (5, "$HOME\n"), "{}", run.stderr);
    assert_eq!(home.run(["ssh", &id, "--", "test $((6 * 7)) = 42"]).code, 0);

    home.ok(["pause", &id]);
    let run = ssh(&home, &[&host, "echo back"]);
    assert_eq!(ok(&run), "back\n");
    assert!(run.stderr.contains("aloft: "), "what is waited for is told: {}", run.stderr);

    home.ok(["delete", "--yes", &id]);
    home.wait_gone(&id);
    let own = fs::read_to_string(home.path("data/ssh/config")).unwrap();
    assert!(!own.contains(&id), "{own}");
    let run = ssh(&home, &[&format!("{id}.aloft"), "true"]);
    assert!(run.code == 255 && run.stderr.starts_with("aloft: "), "{}", run.stderr);
    assert!(run.stderr.contains("there is no thread"), "{}", run.stderr);

    home.ok(["setup", "ssh", "--remove"]);
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), OWN);
}

#[test]
fn ports_come_here_by_our_forward_and_by_those_of_ssh() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let serve = "cd /workspace; nohup python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 </dev/null &";
    ok(&ssh(&home, &[&host, serve]));
    poll::until("the server to listen", || {
        let ports = home.json(["ports", &id]);
        ports.as_array().unwrap().iter().any(|port| port["port"] == 8123).then_some(())
    });

    let mut forward = Ended(
        home.command(["forward", &id, "8123:0", "--json"]).stdout(Stdio::piped()).spawn().unwrap(),
    );
    let mut line = String::new();
    BufReader::new(forward.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(get(told["address"].as_str().unwrap()).ends_with("made\n"));

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _local = Ended(
        command(&home, "ssh", &["-N", "-L", &format!("{free}:127.0.0.1:8123"), &host])
            .spawn()
            .unwrap(),
    );
    let address = format!("127.0.0.1:{free}");
    poll::until("the forward of ssh", || TcpStream::connect(&address).is_ok().then_some(()));
    assert!(get(&address).ends_with("made\n"));

    // As an editor begins: a script on the standard input of a shell, and a proxy for what it starts.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut editor = Ended(
        command(
            &home,
            "ssh",
            &["-T", "-D", &free.to_string(), "-o", "ConnectTimeout=1800", &host, "bash"],
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap(),
    );
    let mut script = editor.0.stdin.take().unwrap();
    for byte in b"echo listeningOn==8123==\n" {
        script.write_all(&[*byte]).unwrap();
    }
    let mut line = String::new();
    BufReader::new(editor.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "listeningOn==8123==\n");
    let mut socks = TcpStream::connect(("127.0.0.1", free)).unwrap();
    socks.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socks.write_all(&[5, 1, 0]).unwrap();
    let mut answer = [0; 2];
    socks.read_exact(&mut answer).unwrap();
    socks.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, 0x1f, 0xbb]).unwrap();
    let mut opened = [0; 10];
    socks.read_exact(&mut opened).unwrap();
    assert_eq!((answer, opened[1]), ([5, 0], 0));
    assert!(ask(socks).ends_with("made\n"));
}

#[test]
fn what_cannot_be_reached_is_one_line_and_255() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let proxy = |words: &[&str]| {
        let run = finish(home.command([&["ssh-proxy"], words].concat()));
        assert_eq!((run.code, run.stdout.len()), (255, 0), "{}", run.stderr);
        assert!(
            run.stderr.starts_with("aloft: ") && run.stderr.lines().count() == 1,
            "{}",
            run.stderr
        );
        run.stderr
    };
    let data = home.path("data");
    let data = data.to_str().unwrap();
    assert!(
        proxy(&[&host, "--cloud", "http://127.0.0.1:1", "--data", data])
            .contains("cannot be reached")
    );
    assert!(proxy(&[&host, "--cloud", "nobody", "--data", data]).contains("nobody"));
    assert!(proxy(&["no-such-thread.aloft"]).contains("no-such-thread"));

    // A key that was revoked stays so until its owner says otherwise.
    let text = fs::read_to_string(home.path("data/ssh/hosts.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fingerprint = known["clouds"]["embedded"]["registered"].as_str().unwrap().to_owned();
    let revoke = RevokeSshKeyRequest { request_id: "revoke".to_owned(), fingerprint };
    block(async { cloud::ssh(&home).await.revoke_ssh_key(revoke).await.unwrap() });
    assert_eq!(home.fails(3, ["ssh", &id])["reason"], "SSH_KEY_REVOKED");
    let run = ssh(&home, &[&host, "true"]);
    assert!(run.code == 255 && run.stderr.contains("Permission denied"), "{}", run.stderr);
    home.ok(["setup", "ssh", "--yes"]);
    ok(&ssh(&home, &[&host, "true"]));

    // Without ssh nothing is changed, and the line still goes.
    let before = fs::read(config(&home)).unwrap();
    let bare = |words: &[&str]| {
        let mut command = home.command(words);
        command.env("PATH", home.path("nothing"));
        finish(command)
    };
    let run = bare(&["ssh", &id, "--json"]);
    assert!(run.code == 1 && run.text().contains("SSH_MISSING"), "{}", run.text());
    assert_eq!(fs::read(config(&home)).unwrap(), before);
    assert_eq!(bare(&["setup", "ssh", "--remove"]).code, 0);
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), OWN);
    let run = bare(&["setup", "ssh", "--yes", "--json"]);
    assert!(run.code == 1 && run.text().contains("SSH_MISSING"), "{}", run.text());
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), OWN);
}

#[test]
fn a_writer_that_is_killed_leaves_a_whole_config() {
    let home = Home::new();
    fs::create_dir(home.path("home/.ssh")).unwrap();
    fs::write(config(&home), OWN).unwrap();
    home.ok(["setup", "ssh", "--yes"]);
    let with = fs::read_to_string(config(&home)).unwrap();
    for round in 0..12_u64 {
        let words: &[&str] =
            if round % 2 == 0 { &["setup", "ssh", "--remove"] } else { &["setup", "ssh", "--yes"] };
        let mut writer =
            home.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(round * 7));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let now = fs::read_to_string(config(&home)).unwrap();
        assert!(now == OWN || now == with, "{now}");
    }
    home.ok(["setup", "ssh", "--yes"]);
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), with);
    home.ok(["setup", "ssh", "--remove"]);
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), OWN);
    let left: Vec<_> = fs::read_dir(home.path("home/.ssh"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["config"]);
}

#[test]
fn a_cloud_elsewhere_has_hosts_of_its_own_which_are_back_when_the_network_is() {
    let home = Home::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut serve = Command::new(program("aloft-cloud"));
    home.dress(&mut serve);
    serve.args(["serve", "--listen", &format!("127.0.0.1:{free}"), "--data"]).arg(home.path("far"));
    serve
        .env("ALOFT_TOKEN", "between-us")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _serve = Ended(serve.spawn().unwrap());
    poll::until("the cloud to listen", || {
        TcpStream::connect(("127.0.0.1", free)).is_ok().then_some(())
    });
    let relay = Relay::to(free);
    home.configure(&format!(
        "[clouds.work]\naddress = \"http://127.0.0.1:{}\"\ntokenFile = \"work.token\"\n",
        relay.port()
    ));
    fs::write(home.path("config/work.token"), "between-us\n").unwrap();
    fs::create_dir(home.path("home/.ssh")).unwrap();
    let repository = home.repository();
    let words =
        ["new", "--cloud", "work", "--agent", "shell", "--mode", "auto", "--wait", "--repo"];
    let mut words: Vec<&str> = words.to_vec();
    words.extend([repository.to_str().unwrap(), "$ true"]);
    let thread = home.json(words);
    home.ok(["setup", "ssh", "--yes", "--cloud", "work"]);
    let host = format!("{}.work.aloft", thread["slug"].as_str().unwrap());
    assert_eq!(ok(&ssh(&home, &[&host, "echo near"])), "near\n");
    ok(&ssh(&home, &[&format!("{}.work.aloft", thread["id"].as_str().unwrap()), "true"]));

    let mut old = Ended(
        command(&home, "ssh", &[&host, "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut typed = old.0.stdin.take().unwrap();
    let mut heard = BufReader::new(old.0.stdout.take().unwrap());
    let mut echo = |word: &str| {
        writeln!(typed, "{word}").unwrap();
        let mut line = String::new();
        heard.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{word}\n"));
    };
    echo("before");
    relay.cut(true);
    let mut during =
        Ended(command(&home, "ssh", &[&host, "true"]).stderr(Stdio::piped()).spawn().unwrap());
    std::thread::sleep(Duration::from_secs(3));
    relay.cut(false);
    assert_eq!(ok(&ssh(&home, &[&host, "echo again"])), "again\n");
    // A short cut is lived through by what was open.
    echo("after");
    during.0.kill().unwrap();
}

/// Ends a program when a test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).unwrap_or_default();
        kill(id, libc::SIGTERM);
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if matches!(self.0.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn get(address: &str) -> String {
    ask(TcpStream::connect(address).unwrap())
}

fn ask(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /made.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
