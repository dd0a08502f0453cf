//! A network that is away for a minute: the agent works on, who comes back is let in at once, who was in learns of it.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::mpsc,
    time::{Duration, Instant},
};

use aloft_tests::{
    home::{Home, finish, items},
    poll,
    relay::{Network, Relay},
    remote::{Remote, TOKEN},
};

use super::{Ended, command, ok, ssh};

/// How long the network is away.
fn absence() -> Duration {
    Duration::from_secs(if std::env::var_os("ALOFT_SOAK").is_some() { 600 } else { 60 })
}

/// How long somebody who was in may be left without an answer, and what a busy machine adds.
const UNCERTAIN: Duration = Duration::from_secs(75);
const BUSY: Duration = Duration::from_secs(45);

#[test]
fn a_minute_without_a_network_costs_nothing_but_the_minute() {
    let home = Home::new();
    let remote = Remote::start(&home);
    let relay = Relay::to(remote.port());
    let home = home.with("ALOFT_CLOUD", relay.url()).with("ALOFT_TOKEN", TOKEN);
    std::fs::create_dir(home.path("home/.ssh")).unwrap();
    let prompt = "$ for i in $(seq 5000); do echo tick $i; sleep 0.2; done";
    let id = &home.begin(&home.repository(), "auto", prompt);
    home.wait_state(id, "running");
    home.ok(["setup", "ssh", "--yes"]);
    // The person's config knows nothing of variables: what it needs of them is written down.
    std::fs::write(home.path("config/token"), TOKEN).unwrap();
    home.configure(&format!(
        "[clouds.far]\naddress = \"{}\"\ntokenFile = \"token\"\n",
        relay.url()
    ));
    home.ok(["setup", "ssh", "--yes", "--cloud", "far"]);
    let host = format!("{id}.far.aloft");
    assert_eq!(ok(&ssh(&home, &[&host, "echo near"])), "near\n");

    let mut old = Ended(
        command(&home, "ssh", &[&host, "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut typed = old.0.stdin.take().unwrap();
    let said = BufReader::new(old.0.stdout.take().unwrap());
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        said.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
    });
    typed.write_all(b"before\n").unwrap();
    assert_eq!(heard.recv_timeout(poll::LIMIT).unwrap(), "before");

    // Past the network, as the cloud's neighbour sees it.
    let ticks = || {
        let mut show = home.command(["show", id, "--json"]);
        show.env("ALOFT_CLOUD", remote.url()).env("ALOFT_DATA_DIR", home.path("elsewhere"));
        let run = finish(show);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let shown = serde_json::from_str(&run.text()).unwrap();
        let output = items(&shown, "commandExecution")[0]["output"].to_string();
        output.matches("tick").count()
    };
    relay.set(Network::Silent);
    let began = Instant::now();
    let first = ticks();
    typed.write_all(b"during\n").ok();
    std::thread::sleep(absence().saturating_sub(began.elapsed()));
    let last = ticks();
    assert!(last > first + 20, "{first} lines before and {last} after a minute of work");

    relay.set(Network::Up);
    let back = Instant::now();
    assert_eq!(ok(&ssh(&home, &[&host, "echo again"])), "again\n");
    eprintln!("a new ssh worked {:.1} s after the network was back", back.elapsed().as_secs_f64());
    assert!(back.elapsed() < poll::LIMIT, "{:?}", back.elapsed());

    // The old one works, or has ended as ssh does.
    let limit = (absence().max(UNCERTAIN) + BUSY).saturating_sub(began.elapsed());
    poll::within(limit, "an end of the old ssh, or its answer", || {
        let answered = heard.try_recv().is_ok_and(|line| line == "during");
        let ended = old.0.try_wait().unwrap().map(|status| status.code());
        assert!(ended.is_none_or(|code| code == Some(255)), "{ended:?}");
        (answered || ended.is_some()).then_some(())
    });
    assert!(ticks() > last);
    home.ok(["stop", id]);
    // The cloud ends its sandbox while its folder is there.
    drop(remote);
}
