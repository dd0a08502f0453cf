//! Notices at a terminal: the bell rings for what a person waits for, where it is wanted and nobody muted it.

use std::{ffi::OsStr, process::Command};

use aloft_tests::home::{Home, finish, program};

/// `aloft` with these arguments, on a terminal of its own; gives everything it printed there.
fn on_terminal(home: &Home, args: &[&str]) -> String {
    let aloft = program("aloft");
    let words = [aloft.to_str().unwrap()].into_iter().chain(args.iter().copied());
    let quoted: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    let mut command = Command::new("script");
    command.args(["-qefc", &quoted.join(" ")]).arg(OsStr::new("/dev/null"));
    home.dress(&mut command);
    let run = finish(command);
    assert_eq!(run.code, 0, "aloft {args:?}\n{}\n{}", run.text(), run.stderr);
    run.text()
}

fn rings(home: &Home, args: &[&str]) -> usize {
    on_terminal(home, args).matches('\u{7}').count()
}

#[test]
fn the_bell_rings_once_when_a_turn_ends_unless_the_thread_is_muted() {
    let home = Home::new();
    home.configure("[notices]\nbell = true\n");
    let id = home.shell(&home.repository(), "auto", "$ true")["id"].as_str().unwrap().to_owned();
    // Hostile output rings nothing by itself.
    let noisy = r#"$ printf "\a\a\a""#;
    assert_eq!(rings(&home, &["send", &id, "--wait", noisy]), 1);
    assert_eq!(rings(&home, &["show", &id]), 0);
    home.ok(["mute", &id]);
    assert_eq!(rings(&home, &["send", &id, "--wait", "$ true"]), 0);
    home.ok(["unmute", &id]);
    home.configure("");
    assert_eq!(rings(&home, &["send", &id, "--wait", "$ true"]), 0);
}
