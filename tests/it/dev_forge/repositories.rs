//! Who is asked, what they may see, and how lists come in pages.

use serde_json::json;

use super::Stage;

#[test]
fn the_one_who_asks_is_told_who_they_are_and_what_their_token_may() {
    let stage = Stage::new();
    let reply = stage.forge.get("/user");
    assert_eq!(reply.header("x-oauth-scopes"), Some("repo, user, admin:repo_hook"));
    assert!(reply.header("x-ratelimit-remaining").is_some());
    assert_eq!(reply.must(200)["login"], "dev");
    let send = |token| stage.forge.send("GET", "/api/v3/user", token, &json!(null), &[]);
    let refused = send(Some("wrong")).must(401);
    assert_eq!(refused["message"], "Bad credentials");
    assert!(refused["documentation_url"].is_string());
    assert_eq!(send(None).must(401)["message"], "Requires authentication");

    // A token without the scope sees no private repository.
    let narrow = json!({ "login": "dev", "scopes": ["read:user"] });
    let token = stage.forge.control("POST", "/users", &narrow)["token"].clone();
    let token = token.as_str();
    let reply = stage.forge.send("GET", "/api/v3/repos/acme/app", token, &json!(null), &[]);
    assert_eq!(reply.header("x-oauth-scopes"), Some("read:user"));
    assert_eq!(reply.header("x-accepted-oauth-scopes"), Some("repo"));
    reply.must(404);
}

#[test]
fn a_list_is_walked_page_by_page_and_nothing_is_lost() {
    let stage = Stage::new();
    for number in 0..5 {
        stage.forge.control("POST", &format!("/repos/dev/r{number}"), &json!({}));
    }
    let mut names = Vec::new();
    let mut next = Some("/user/repos?per_page=2&sort=full_name".to_owned());
    while let Some(path) = next {
        let reply = stage.forge.get(&path);
        let link = reply.header("link").unwrap_or_default().to_owned();
        let page = reply.must(200);
        names.extend(page.as_array().unwrap().iter().map(|one| one["full_name"].clone()));
        next = link
            .split(", ")
            .find(|one| one.ends_with("rel=\"next\""))
            .and_then(|one| one.strip_prefix('<')?.split('>').next())
            .and_then(|one| one.split_once("/api/v3"))
            .map(|(_, path)| path.to_owned());
    }
    assert_eq!(names, ["acme/app", "dev/r0", "dev/r1", "dev/r2", "dev/r3", "dev/r4"]);
    let found = stage.forge.get("/search/repositories?q=R3+in:name+user:dev").must(200);
    assert_eq!(found["total_count"], 1);
    assert_eq!(found["items"][0]["full_name"], "dev/r3");
    // One without a commit is a repository too.
    let empty = stage.forge.get("/repos/dev/r3").must(200);
    assert_eq!((&empty["default_branch"], &empty["private"]), (&json!("main"), &json!(true)));
    assert_eq!(stage.forge.get("/repos/dev/r3/branches").must(200), json!([]));
    stage.forge.get("/repos/dev/r3/commits").must(409);
}

#[test]
fn what_did_not_change_is_not_sent_again_and_costs_nothing() {
    let stage = Stage::new();
    let first = stage.forge.get("/repos/acme/app/branches/main");
    let tag = first.header("etag").unwrap().to_owned();
    let left = first.header("x-ratelimit-remaining").unwrap().to_owned();
    let ask = || {
        let path = "/api/v3/repos/acme/app/branches/main";
        let known = [("If-None-Match", tag.as_str())];
        stage.forge.send("GET", path, Some(stage.forge.token()), &json!(null), &known)
    };
    let again = ask();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(again.header("x-ratelimit-remaining"), Some(left.as_str()));
    let commit = stage.push("topic", "a", "a");
    let main = json!({ "ref": "refs/heads/x/y", "sha": commit });
    stage.forge.call("POST", "/repos/acme/app/git/refs", &main).must(201);
    stage.forge.call("POST", "/repos/acme/app/git/refs", &main).must(422);
    let branch = stage.forge.get("/repos/acme/app/branches/x%2Fy").must(200);
    assert_eq!(branch["commit"]["sha"], json!(commit));
    assert_eq!(ask().status, 304);
}

#[test]
fn a_token_that_has_used_up_its_calls_is_told_when_to_come_back() {
    let stage = Stage::new();
    let limit = json!({ "remaining": 1, "resetInSeconds": 3600 });
    stage.forge.control("POST", "/limit", &limit);
    stage.forge.get("/user").must(200);
    let reply = stage.forge.get("/user");
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"));
    assert!(reply.header("x-ratelimit-reset").unwrap().parse::<u64>().unwrap() > 1_000_000_000);
    let refused = reply.must(403);
    assert!(refused["message"].as_str().unwrap().starts_with("API rate limit exceeded"));
    stage.forge.get("/rate_limit").must(200);
}

#[test]
fn a_fault_meets_the_calls_it_was_meant_for_and_no_other() {
    let stage = Stage::new();
    let fault =
        json!({ "path": "/api/v3/user", "status": 502, "body": "<html>bad gateway</html>" });
    stage.forge.control("POST", "/faults", &fault);
    let reply = stage.forge.get("/user");
    assert_eq!((reply.status, reply.text.as_str()), (502, "<html>bad gateway</html>"));
    stage.forge.get("/user").must(200);

    stage.push("topic", "a", "a");
    let cut = json!({ "method": "POST", "path": "/api/v3/repos/acme/app/pulls", "cut": "after" });
    stage.forge.control("POST", "/faults", &cut);
    let new = json!({ "title": "t", "head": "topic", "base": "main" });
    let path = "/api/v3/repos/acme/app/pulls";
    let lost = stage.forge.try_send("POST", path, Some(stage.forge.token()), &new, &[]);
    assert!(lost.is_none(), "{lost:?}");
    let pulls = stage.forge.get("/repos/acme/app/pulls?head=acme:topic").must(200);
    assert_eq!(pulls.as_array().unwrap().len(), 1, "it was done, and only its answer was lost");
    let calls = stage.forge.control("GET", "/requests", &json!(null));
    let last = calls.as_array().unwrap().last().unwrap();
    assert_eq!((&last["method"], &last["login"]), (&json!("GET"), &json!("dev")));
}
