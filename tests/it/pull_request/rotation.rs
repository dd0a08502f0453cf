//! A token that is rotated: with the new one everything goes on, and the old one is not used and stands nowhere.

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, feed, items},
};
use serde_json::{Value, json};

use crate::pull_request::{
    canary::{assert_is_nowhere, forms},
    github::{asked, stage, thread},
    text,
    unasked::looked_at,
};

/// Connects the account by this token, or connects it again.
fn connect(home: &Home, forge: &DevForge, token: &str) {
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin", "--json"];
    let run = feed(home.command(words), format!("{token}\n").as_bytes());
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    let listed = home.json(["forge", "list"]);
    assert_eq!((listed.as_array().map(Vec::len), text(&listed[0], "login")), (Some(1), "ada"));
}

/// Calls of the API that came with a token which opens nothing.
fn refused(forge: &DevForge) -> usize {
    let calls = forge.control("GET", "/requests", &Value::Null);
    let calls = calls.as_array().unwrap().iter();
    calls.filter(|call| call["status"] == 401 && text(call, "path").starts_with("/api/")).count()
}

/// More work is pushed, and what was said reaches the agent.
fn goes_on(home: &Home, forge: &DevForge, thread: &Value, word: &str) {
    let (id, branch) = (text(thread, "id"), text(thread, "branch"));
    assert_eq!(home.json(["repo", "list"])[0]["name"], "dev/tool");
    home.ok(["send", id, "--wait", &format!("$ echo {word} > new.txt")]);
    home.ok(["pr", id]);
    let bare = home.path("forge/dev/tool.git");
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), word);
    looked_at(home, forge, id);
    home.ok(["pr", id, "--fix"]);
    let shown = home.show(id);
    let told = items(&shown, "userMessage").pop().unwrap();
    assert!(text(&told["input"][0], "text").contains("> Comment 1."), "{told}");
}

#[test]
fn with_a_rotated_token_everything_goes_on_and_the_old_one_is_not_used() {
    let (home, forge) = stage();
    home.configure("pullRequestSeconds = 1\n");
    // The cloud logs everything, and what asks it little.
    let home = home.with("ALOFT_LOG", "trace");
    home.start_cloud();
    let home = home.with("ALOFT_LOG", "error");
    let token = || {
        let made = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["repo"]}));
        text(&made, "token").to_owned()
    };
    let revoke = |token: &str| {
        forge.control("POST", "/tokens/revoke", &json!({ "token": token }));
    };
    let [first, second, third] = [token(), token(), token()];
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "write"}}));
    connect(&home, &forge, &first);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    home.ok(["pr", id]);
    home.ok(["repo", "list"]);
    looked_at(&home, &forge, id);

    // The new one first: from then on nothing asks with the old one, as is seen when that is revoked.
    let listed = asked(&forge, "GET", "/api/v3/user/repos");
    connect(&home, &forge, &second);
    looked_at(&home, &forge, id);
    revoke(&first);
    goes_on(&home, &forge, &thread, "two");
    assert_eq!(refused(&forge), 0, "the old token is used");
    assert_eq!(asked(&forge, "GET", "/api/v3/user/repos"), listed + 1, "it may reach others");

    // The old one ends first: that is said, and nothing is lost by it.
    revoke(&second);
    home.ok(["send", id, "--wait", "$ echo three > new.txt"]);
    assert_eq!(home.fails(1, ["pr", id])["reason"], "FORGE_TOKEN_REFUSED");
    connect(&home, &forge, &third);
    goes_on(&home, &forge, &thread, "four");

    // Without an account the thread works on, and is told what it lacks.
    home.ok(["forge", "disconnect", "github"]);
    assert_eq!(home.json(["forge", "list"]), json!([]));
    home.ok(["send", id, "--wait", "$ echo five > new.txt"]);
    for words in [&["pr", id][..], &["pr", id, "--fix"], &["repo", "list"]] {
        assert_eq!(home.fails(1, words)["reason"], "FORGE_ACCOUNT_MISSING", "{words:?}");
    }
    for token in [&first, &second, &third] {
        assert_is_nowhere(&home, &forms(token));
    }
}
