//! Who may enter, and how one knows where one is.

use std::process::Stdio;

use aloft_proto::v1::{
    IssueSshCertificateRequest, ListSshKeysRequest, RegisterSshKeyRequest, RevokeSshKeyRequest,
};
use aloft_tests::{
    cloud,
    home::Home,
    poll,
    ssh::{Person, block, public},
};

use super::thread;

const REFUSED: &str = "Permission denied (publickey)";

fn revoke(home: &Home, fingerprint: &str) {
    let request = RevokeSshKeyRequest {
        request_id: "revoke".to_owned(),
        fingerprint: fingerprint.to_owned(),
    };
    block(async { cloud::ssh(home).await.revoke_ssh_key(request).await.unwrap() });
}

fn certify(person: &Person<'_>, seconds: u32) -> String {
    let request = IssueSshCertificateRequest { public_key: public(person.key()), seconds };
    let answer = block(async {
        cloud::ssh(person.home).await.issue_ssh_certificate(request).await.unwrap().into_inner()
    });
    person.write("id-cert.pub", answer.certificate.as_bytes());
    format!("CertificateFile={}", person.path("id-cert.pub").display())
}

#[test]
fn a_key_opens_from_its_registration_to_its_revocation() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let stranger = Person::stranger(&home, "stranger");
    let run = stranger.ssh(&id, &["true"]);
    assert!(run.code == 255 && run.stderr.contains(REFUSED), "{} {}", run.code, run.stderr);
    // Another login name is nobody's.
    assert_eq!(person.ssh(&id, &["-l", "root", "--", "true"]).code, 255);

    let key = stranger.register();
    assert_eq!(stranger.register(), key);
    assert_eq!(stranger.ok(&id, &["echo in"]), "in\n");
    let keys = block(async {
        cloud::ssh(&home)
            .await
            .list_ssh_keys(ListSshKeysRequest {})
            .await
            .unwrap()
            .into_inner()
            .keys
    });
    assert_eq!(keys.len(), 2);
    assert!(keys.contains(&key) && key.name == "stranger");

    // What is open ends at once, and only what that key opened.
    let open = |person: &Person<'_>| {
        let host = format!("{id}.aloft");
        let mut command = person.command("ssh", [&host, "echo open; cat"]);
        let mut client = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = [0; 5];
        std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut first).unwrap();
        client
    };
    let (mut theirs, mut mine) = (open(&stranger), open(&person));
    revoke(&home, &key.fingerprint);
    assert!(stranger.ssh(&id, &["true"]).stderr.contains(REFUSED));
    // Held open: it is not its own end that ends it.
    let stdin = theirs.stdin.take();
    assert_eq!(theirs.wait().unwrap().code(), Some(255));
    drop(stdin);
    drop(mine.stdin.take());
    assert_eq!(mine.wait().unwrap().code(), Some(0));
    // What certifies a revoked key is worth nothing either.
    let certificate = certify(&stranger, 600);
    assert!(stranger.ssh(&id, &["-o", &certificate, "--", "true"]).stderr.contains(REFUSED));
    stranger.register();
    assert_eq!(stranger.ok(&id, &["echo again"]), "again\n");
}

#[test]
fn a_certificate_opens_for_as_long_as_it_is_good() {
    let home = Home::new();
    let (id, _person) = thread(&home);
    let guest = Person::stranger(&home, "guest");
    let certificate = certify(&guest, 600);
    assert_eq!(guest.ok(&id, &["-o", &certificate, "--", "echo in"]), "in\n");
    // One that is over does not.
    let certificate = certify(&guest, 1);
    poll::until("the certificate to be over", || {
        guest.ssh(&id, &["-o", &certificate, "--", "true"]).stderr.contains(REFUSED).then_some(())
    });
    // One that somebody else signed never does.
    let forger = aloft_tests::ssh::keygen(&guest.path("."), "forger", "forger");
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-s"]).arg(&forger).args(["-I", "x", "-n", "local,agent", "-V", "-1m:+1h"]);
    sign.arg(guest.key().with_extension("pub"));
    assert_eq!(aloft_tests::home::finish(sign).code, 0);
    assert!(guest.ssh(&id, &["-o", &certificate, "--", "true"]).stderr.contains(REFUSED));
}

#[test]
fn a_sandbox_is_known_as_itself_and_as_no_other() {
    let home = Home::new();
    let (one, person) = thread(&home);
    let two =
        home.shell(&home.path("repository"), "auto", "$ true")["id"].as_str().unwrap().to_owned();
    assert_eq!(person.ok(&two, &["echo $ALOFT_THREAD"]), format!("{two}\n"));
    // The way to one under the name of the other: its certificate says whose it is.
    let config = std::fs::read_to_string(person.path("config")).unwrap();
    let led_astray = config.replace("$(basename %h .aloft)", &one);
    assert_ne!(config, led_astray);
    person.write("config", led_astray.as_bytes());
    assert_eq!(person.ok(&one, &["echo $ALOFT_THREAD"]), format!("{one}\n"));
    let run = person.ssh(&two, &["true"]);
    assert!(run.code == 255 && run.stderr.contains("Certificate invalid"), "{}", run.stderr);
    person.write("config", config.as_bytes());
    // Another authority is believed nothing.
    let other = aloft_tests::ssh::keygen(&person.path("."), "authority", "authority");
    person.write("known_hosts", format!("@cert-authority *.aloft {}", public(&other)).as_bytes());
    assert_eq!(person.ssh(&one, &["true"]).code, 255);
}

#[test]
fn a_thread_that_rests_is_brought_back_and_one_that_is_gone_is_told() {
    let home = Home::new();
    let (id, person) = thread(&home);
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    let run = person.ssh(&id, &["cat made"]);
    assert_eq!((run.code, run.text().as_str()), (0, "hello\n"), "{}", run.stderr);
    assert!(run.stderr.contains("tunnel: Resuming "), "{}", run.stderr);
    assert!(run.stderr.contains("tunnel: Starting the sandbox"), "{}", run.stderr);
    // A pause ends what is open, and says so.
    let host = format!("{id}.aloft");
    let mut command = person.command("ssh", [&host, "echo open; cat"]);
    let mut client = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 5];
    std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut first).unwrap();
    // Held open: `cat` could come to its own end before the pause does.
    let stdin = client.stdin.take();
    home.ok(["pause", &id]);
    assert_eq!(client.wait_with_output().unwrap().status.code(), Some(255));
    drop(stdin);
    home.ok(["delete", &id, "--yes"]);
    home.wait_gone(&id);
    let run = person.ssh(&id, &["true"]);
    assert!(run.code == 255 && run.stderr.contains("there is no thread"), "{}", run.stderr);
}

#[test]
fn what_is_no_key_is_refused() {
    let home = Home::new();
    let (_id, person) = thread(&home);
    let secret = std::fs::read_to_string(person.key()).unwrap();
    for wrong in ["", "ssh-ed25519 AAAA", &secret] {
        let request = RegisterSshKeyRequest {
            request_id: "wrong".to_owned(),
            public_key: wrong.to_owned(),
            name: String::new(),
        };
        let status = block(async { cloud::ssh(&home).await.register_ssh_key(request).await });
        assert_eq!(status.unwrap_err().code(), tonic::Code::InvalidArgument);
    }
}
