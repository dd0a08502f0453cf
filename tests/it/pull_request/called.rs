//! A forge that calls is heard at once; one that only pretends to be it is not, and nothing is heard twice.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use aloft_tests::{home::items, poll};
use serde_json::json;

use crate::pull_request::{
    fix::comment,
    github::{connect, stage, thread},
    text,
};

/// The example of a signed call that GitHub publishes.
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &str = "Hello, World!";
const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/// Begins a call as a forge does, with a body of this length of which this is sent, together with the head: what is answered
/// before a body arrived may be lost with it.
fn begin(
    port: u16,
    (method, path): (&str, &str),
    signature: Option<&str>,
    (length, body): (usize, &str),
) -> TcpStream {
    let signature =
        signature.map(|text| format!("X-Hub-Signature-256: {text}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nX-GitHub-Event: ping\r\n{signature}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// The status that a call is answered with.
fn status(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Calls as a forge does; gives the status.
fn call(port: u16, method: &str, path: &str, signature: Option<&str>) -> u16 {
    status(begin(port, (method, path), signature, (BODY.len(), BODY)))
}

#[test]
fn a_call_of_the_forge_counts_once_and_no_other_does() {
    let (home, forge) = stage();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.configure(&format!(
        "pullRequestSeconds = 86400\n[serve.forgeCalls]\nlisten = \"127.0.0.1:{port}\"\nsecretFile = \"forge.secret\"\n"
    ));
    std::fs::write(home.path("config/forge.secret"), format!("{SECRET}\n")).unwrap();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&made, "id");
    home.ok(["pr", id]);
    comment(&forge, "Why one?");

    let wrong = SIGNED.replace("757", "857");
    for forged in [None, Some("sha256=00"), Some(wrong.as_str())] {
        assert_eq!(call(port, "POST", "/forge", forged), 401, "{forged:?}");
    }
    assert_eq!(call(port, "GET", "/forge", Some(SIGNED)), 405);
    assert_eq!(call(port, "POST", "/other", Some(SIGNED)), 404);
    assert_ne!(home.show(id)["thread"]["pullRequest"]["comments"], 1, "nobody was heard");

    assert_eq!(call(port, "POST", "/forge", Some(SIGNED)), 202);
    poll::until("the thread to know of the comment", || {
        (home.show(id)["thread"]["pullRequest"]["comments"] == json!(1)).then_some(())
    });
    assert_eq!(call(port, "POST", "/forge", Some(SIGNED)), 409, "it came before");
    // A cloud that was killed and started again knows it still.
    home.kill_cloud();
    home.start_cloud();
    assert_eq!(call(port, "POST", "/forge", Some(SIGNED)), 409, "it came before the restart");
    let shown = home.show(id);
    assert!(items(&shown, "notice").iter().any(|one| text(one, "text").contains("new comment")));
}

#[test]
fn who_is_not_signed_is_sent_away_unread_and_no_more_are_read_than_can_be() {
    let (home, _forge) = stage();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.configure(&format!(
        "[serve.forgeCalls]\nlisten = \"127.0.0.1:{port}\"\nsecretFile = \"forge.secret\"\n"
    ));
    std::fs::write(home.path("config/forge.secret"), SECRET).unwrap();
    home.start_cloud();
    let largest = 25 << 20;
    // Nothing of these bodies is ever sent.
    let unsent = |signature, length| begin(port, ("POST", "/forge"), signature, (length, ""));
    for unsigned in [None, Some("sha256=00"), Some("sha1=00")] {
        assert_eq!(status(unsent(unsigned, largest)), 401, "{unsigned:?}");
    }
    assert_eq!(status(unsent(Some(SIGNED), largest + 1)), 413);

    let mut waiting: Vec<TcpStream> = (0..16).map(|_| unsent(Some(SIGNED), largest)).collect();
    poll::until("as many to be read as can be", || {
        let one = unsent(Some(SIGNED), largest);
        one.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        let mut answer = [0; 12];
        if (&one).read_exact(&mut answer).is_err() {
            // It is read, and one of the others was not.
            waiting.push(one);
            return None;
        }
        assert_eq!(&answer, b"HTTP/1.1 503");
        Some(())
    });
    waiting.clear();
    poll::until("a call to be heard when they are gone", || {
        (call(port, "POST", "/forge", Some(SIGNED)) == 202).then_some(())
    });
}
