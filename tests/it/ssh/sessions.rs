//! Commands, shells, terminals, signals, and what they leave.

use aloft_tests::{home::Home, ssh::Person};

#[test]
fn a_command_runs_as_the_agent_does() {
    let home = Home::new();
    let repository = home.repository();
    let id =
        home.shell(&repository, "auto", "$ echo hello > made")["id"].as_str().unwrap().to_owned();
    let person = Person::registered(&home);
    assert_eq!(
        person.ok(&id, &["cat made; pwd; echo $USER $HOME"]),
        "hello\n/workspace\nagent /home/agent\n"
    );
    let run = person.ssh(&id, &["echo out; echo err >&2; exit 42"]);
    assert_eq!((run.code, run.text().as_str(), run.stderr.as_str()), (42, "out\n", "err\n"));
}
