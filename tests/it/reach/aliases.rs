//! A cloud that somebody knows by two names is one cloud: a thread is its id, whatever it was reached by.

use std::fs;

use aloft_tests::{
    home::{Home, items},
    remote::{Remote, TOKEN},
};

#[test]
fn two_names_of_one_cloud_lead_to_the_same_thread() {
    let home = Home::new();
    let remote = Remote::start(&home);
    let port = remote.port();
    home.configure(&format!(
        "[clouds.work]\naddress = \"http://127.0.0.1:{port}\"\ntokenFile = \"token\"\n\
         [clouds.play]\naddress = \"http://localhost:{port}\"\ntokenFile = \"token\"\n"
    ));
    fs::write(home.path("config/token"), TOKEN).unwrap();
    let repository = home.repository();
    let words = ["new", "--cloud", "work", "--agent", "shell", "--mode", "auto", "--wait"];
    let about = ["--repo", repository.to_str().unwrap(), "$ echo one > one"];
    let thread = home.json([&words[..], &about].concat());
    let id = thread["id"].as_str().unwrap();

    let listed = home.json(["list", "--cloud", "play"]);
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|thread| &thread["id"]).collect();
    assert_eq!(ids, [id], "{listed:#}");
    // What is said by the one name goes on with the same files, and is there by the other.
    home.ok(["send", "--cloud", "play", id, "--wait", "$ cat one"]);
    let [here, there] = ["work", "play"].map(|name| home.json(["show", "--cloud", name, id]));
    assert_eq!(items(&here, "commandExecution").last().unwrap()["output"], "one\n");
    assert_eq!((&here["turns"], &here["items"]), (&there["turns"], &there["items"]));
}
