//! Sign-in by device flow, over HTTP, with each of its ends.

use serde_json::{Value, json};

use super::Stage;

const JSON: (&str, &str) = ("Accept", "application/json");

impl Stage {
    fn begin(&self, client: &str) -> Value {
        let body = json!({ "client_id": client, "scope": "repo read:user" });
        self.forge.send("POST", "/login/device/code", None, &body, &[JSON]).must(200)
    }

    fn ask(&self, begun: &Value) -> Value {
        let body = json!({
            "client_id": "app", "device_code": begun["device_code"],
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        });
        self.forge.send("POST", "/login/oauth/access_token", None, &body, &[JSON]).must(200)
    }

    fn decide(&self, begun: &Value, decision: &str) {
        let body = json!({ "userCode": begun["user_code"], "do": decision });
        self.forge.control("POST", "/device", &body);
    }
}

#[test]
fn a_device_is_connected_by_the_person_who_has_the_token() {
    let stage = Stage::new();
    let begun = stage.begin("app");
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(900), &json!(5)));
    let code = begun["user_code"].as_str().unwrap();
    assert_eq!((code.len(), &code[4..5]), (9, "-"));
    assert_eq!(begun["verification_uri"], json!(format!("{}/login/device", stage.forge.url())));
    assert_eq!(stage.ask(&begun)["error"], "authorization_pending");
    let slow = stage.ask(&begun);
    assert_eq!((&slow["error"], &slow["interval"]), (&json!("slow_down"), &json!(10)));

    // The page is the person's: whoever has not the token decides nothing.
    let form = |token: &str| {
        let body = json!({ "user_code": code, "token": token, "do": "authorize" });
        stage.forge.send("POST", "/login/device", None, &body, &[])
    };
    assert!(
        stage.forge.send("GET", "/login/device", None, &json!(null), &[]).text.contains("<form")
    );
    assert_eq!(form("wrong").status, 422);
    assert_eq!(form(stage.forge.token()).status, 200);
    let given = stage.ask(&begun);
    assert_eq!(
        (&given["token_type"], &given["scope"]),
        (&json!("bearer"), &json!("repo,read:user"))
    );
    let token = given["access_token"].as_str();
    let user = stage.forge.send("GET", "/api/v3/user", token, &json!(null), &[]);
    assert_eq!(user.header("x-oauth-scopes"), Some("repo, read:user"));
    assert_eq!(user.must(200)["login"], "dev");
    assert_eq!(stage.ask(&begun)["error"], "incorrect_device_code");
}

#[test]
fn every_other_end_has_its_word() {
    let stage = Stage::new();
    for (decision, word) in
        [("deny", "access_denied"), ("expire", "expired_token"), ("slow_down", "slow_down")]
    {
        let begun = stage.begin("app");
        stage.decide(&begun, decision);
        assert_eq!(stage.ask(&begun)["error"], word);
    }
    assert_eq!(stage.begin("disabled")["error"], "device_flow_disabled");
    assert_eq!(stage.ask(&json!({ "device_code": "x" }))["error"], "incorrect_device_code");
    // Who asks for no JSON gets a form.
    let body = json!({ "client_id": "app" });
    let form = stage.forge.send("POST", "/login/device/code", None, &body, &[]).text;
    assert!(form.starts_with("device_code=") && form.contains("&user_code="), "{form}");
}
