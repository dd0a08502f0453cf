//! Commands, their environment, their signals and what they leave.

use std::process::Stdio;

use aloft_tests::{
    home::{Home, alive, items},
    poll,
};

use super::{noise, thread};

#[test]
fn a_command_is_run_whole_and_its_end_is_told() {
    let home = Home::new();
    let (id, person) = thread(&home);
    assert_eq!(
        person.ok(&id, &["cat made; pwd; echo $USER $HOME"]),
        "hello\n/workspace\nagent /home/agent\n"
    );
    let run = person.ssh(&id, &["echo out; echo err >&2; exit 42"]);
    assert_eq!((run.code, run.text().as_str(), run.stderr.as_str()), (42, "out\n", "err\n"));
    // The end by a signal is none of the command's own; the reader of a pipe may leave; input has an end.
    assert_eq!(person.ssh(&id, &["kill -TERM $$"]).code, 255);
    assert_eq!(person.ok(&id, &["yes | head -c 4"]), "y\ny\n");
    let input = noise(3_000_000);
    let run = person.ssh_with(&id, &["cat"], &input);
    assert!(run.code == 0 && run.stdout == input, "{} {}", run.code, run.stderr);
    assert_eq!(person.ssh_with(&id, &["head -c 1 > /dev/null"], &input).code, 0);
    assert_eq!(person.ssh_with(&id, &["bash", "-s"], b"echo from $((1 + 1))\nexit 3").code, 3);
}

#[test]
fn a_person_sees_what_the_agent_sees() {
    let home = Home::new();
    let repository = home.repository();
    let names = "PATH|HOME|LANG|TMPDIR|SHELL|ALOFT_THREAD|ALOFT_BRANCH|GIT_CONFIG_SYSTEM|HTTPS_PROXY|no_proxy";
    let list = format!("env | grep -E '^({names})=' | sort");
    let prompt = format!("$ echo 'export FROM_PROFILE=1' > ~/.profile\n$ {list}");
    let thread = home.shell(&repository, "auto", &prompt);
    let id = thread["id"].as_str().unwrap();
    let shown = home.show(id);
    let agents = items(&shown, "commandExecution").last().unwrap()["output"].clone();
    let person = aloft_tests::ssh::Person::registered(&home);
    assert_eq!(person.ok(id, &[&list]), agents.as_str().unwrap());
    assert_eq!(person.ok(id, &["echo $FROM_PROFILE"]), "1\n");
    // What may be set is set, but not what changes which code is run, nor what is Aloft's.
    let set = ["-o", "SetEnv=COLOR=blue LD_PRELOAD=/x ALOFT_PROCESS=mine", "--"];
    let asked = [&set[..], &["echo $COLOR ${LD_PRELOAD-unset} ${ALOFT_PROCESS#ssh-*}"]].concat();
    let said = person.ok(id, &asked);
    assert!(said.starts_with("blue unset "), "{said}");
    assert!(!said.contains("mine"), "{said}");
}

#[test]
fn what_runs_on_goes_its_own_way() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let mark = home.mark("ssh");
    // Let go of: the command returns at once and its child lives on.
    let left = format!("(exec -a {mark}-left sleep 1000) > /dev/null 2>&1 < /dev/null &");
    person.ok(&id, &[&left]);
    let left = Home::wait_processes(&format!("{mark}-left"), 1)[0];
    // The client dies: without a terminal its command lives on, as editors count on; with one it is hung up.
    let client = |options: &[&str], name: &str| {
        let line = format!("exec -a {mark}-{name} sleep 1000");
        let host = format!("{id}.aloft");
        let words = options.iter().copied().chain([host.as_str(), line.as_str()]);
        let mut client = person
            .command("ssh", words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let found = poll::until(name, || {
            let of_client = |pid: &i32| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.starts_with(format!("{mark}-{name}").as_bytes())
            };
            Home::processes_with(&format!("{mark}-{name}")).into_iter().find(of_client)
        });
        let ssh = Home::processes_with(&format!("{mark}-{name}"));
        for pid in ssh.into_iter().filter(|pid| *pid != found) {
            aloft_tests::home::kill(pid, libc::SIGKILL);
        }
        client.wait().unwrap();
        found
    };
    let hung_up = client(&["-tt"], "terminal");
    poll::until("the terminal to hang up", || (!alive(hung_up)).then_some(()));
    let lives_on = client(&["-T"], "plain");
    assert!(alive(lives_on) && alive(left));
    // A stop ends what the agent started, and nothing of the person's.
    home.ok(["send", &id, "$ sleep 1000"]);
    home.wait_state(&id, "running");
    home.ok(["stop", &id]);
    assert!(alive(lives_on) && alive(left));
}
