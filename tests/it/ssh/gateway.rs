//! Plain OpenSSH, on a machine without Aloft, through the gateway.

use std::process::{Child, Command, Stdio};

use aloft_tests::{
    cloud,
    home::{Home, finish, program},
    poll,
    remote::free_port,
    ssh::{Person, block},
};

use super::thread;

/// A cloud with a gateway, started by hand; ended with the test.
struct Cloud(Child);

impl Drop for Cloud {
    fn drop(&mut self) {
        aloft_tests::home::kill(self.0.id().cast_signed(), libc::SIGTERM);
        let _reaped = self.0.wait();
    }
}

fn serve(home: &Home, port: u16) -> Cloud {
    let socket = home.path("own.sock");
    let mut command = Command::new(program("aloft-cloud"));
    command.args(["serve", "--listen"]).arg(format!("unix:{}", socket.display()));
    command.args(["--ssh-listen", &format!("127.0.0.1:{port}"), "--data"]).arg(home.path("own"));
    home.dress(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let cloud = Cloud(command.spawn().unwrap());
    poll::until("the cloud", || (home.run(["list", "--json"]).code == 0).then_some(()));
    cloud
}

#[test]
fn openssh_alone_comes_in_by_the_gateway_and_nowhere_else() {
    let port = free_port();
    let home = Home::new();
    let address = format!("unix:{}", home.path("own.sock").display());
    let home = home.with("ALOFT_CLOUD", address);
    let _cloud = serve(&home, port);
    let (id, person) = thread(&home);
    let hosts = Person::hosts(&home);
    assert_eq!(hosts.gateway, format!("127.0.0.1:{port}"));
    let stranger = Person::stranger(&home, "stranger");
    for who in [&person, &stranger] {
        let known = std::fs::read_to_string(who.path("known_hosts")).unwrap();
        let known = format!("{known}\n[127.0.0.1]:{port} {}\n", hosts.gateway_key);
        who.write("known_hosts", known.as_bytes());
        let config = format!(
            "Host *\n    User agent\n    IdentityFile {}\n    IdentitiesOnly yes\n    UserKnownHostsFile {}\n    \
             StrictHostKeyChecking yes\n    LogLevel ERROR\nHost *.aloft\n    ProxyJump 127.0.0.1:{port}\n",
            who.key().display(),
            who.path("known_hosts").display(),
        );
        who.write("config", config.as_bytes());
    }
    assert_eq!(person.ok(&id, &["cat made"]), "hello\n");
    let run = stranger.ssh(&id, &["true"]);
    assert!(run.code == 255 && run.stderr.contains("Permission denied"), "{}", run.stderr);
    // It leads to nothing but the SSH servers of threads, and gives nothing of its own.
    for target in ["localhost:22", "127.0.0.1:80", "nobody.aloft:22", &format!("{id}.aloft:80")] {
        let gateway = format!("ssh://127.0.0.1:{port}");
        let run = finish(person.command("ssh", ["-W", target, &gateway]));
        assert_eq!(run.code, 255, "{target}");
    }
    let gateway = format!("ssh://127.0.0.1:{port}");
    assert_eq!(finish(person.command("ssh", [&gateway, "true"])).code, 255);

    // A paused thread is brought back; somebody else's is not even there.
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    assert_eq!(person.ok(&id, &["cat made"]), "hello\n");
    let key = stranger.register();
    assert_eq!(stranger.ok(&id, &["echo in"]), "in\n");
    let request = aloft_proto::v1::RevokeSshKeyRequest {
        request_id: "revoke".to_owned(),
        fingerprint: key.fingerprint,
    };
    block(async { cloud::ssh(&home).await.revoke_ssh_key(request).await.unwrap() });
    assert_eq!(stranger.ssh(&id, &["true"]).code, 255);
    // A gateway that is killed comes back.
    let mark = home.path("own/gateway.sock").display().to_string();
    let found = Home::wait_processes(&mark, 1)[0];
    aloft_tests::home::kill(found, libc::SIGKILL);
    poll::until("the gateway to be back", || (person.ssh(&id, &["true"]).code == 0).then_some(()));
}
