//! OpenSSH's own programs at a thread's sandbox, with a key, a configuration and known hosts of their own.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aloft_proto::v1::{GetSshHostsRequest, GetSshHostsResponse, RegisterSshKeyRequest, SshKey};

use crate::{
    cloud,
    home::{Home, Run, feed, finish, program},
};

/// Longest that one command may take before it is a failure.
const PATIENCE: &str = "120";

/// What `ssh` is told beside where to go; later lines give way to these.
const STANZA: &str = "    User agent
    IdentitiesOnly yes
    IdentityAgent SSH_AUTH_SOCK
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519
    PreferredAuthentications publickey
    ControlPath none
    LogLevel ERROR
";

/// A person with ssh, in front of one machine.
#[derive(Debug)]
pub struct Person<'home> {
    /// The machine.
    pub home: &'home Home,
    folder: PathBuf,
    key: PathBuf,
}

/// Runs an async call of a test that is not.
pub fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Makes a key without a passphrase; the path of its private half.
pub fn keygen(folder: &Path, name: &str, comment: &str) -> PathBuf {
    let path = folder.join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(&path);
    let run = finish(command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    path
}

/// The public half.
pub fn public(key: &Path) -> String {
    std::fs::read_to_string(key.with_extension("pub")).unwrap()
}

impl<'home> Person<'home> {
    /// A person whose key the cloud of this machine, which must run, knows.
    pub fn registered(home: &'home Home) -> Self {
        let person = Self::stranger(home, "person");
        person.register();
        person
    }

    /// A person with a key of their own that nobody knows.
    pub fn stranger(home: &'home Home, name: &str) -> Self {
        let folder = home.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let key = keygen(&folder, "id", name);
        let hosts = Self::hosts(home);
        let known: Vec<String> = hosts
            .authorities
            .iter()
            .map(|authority| format!("@cert-authority *.aloft {authority}"))
            .collect();
        std::fs::write(folder.join("known_hosts"), known.join("\n")).unwrap();
        let person = Self { home, folder, key };
        person.configure("");
        person
    }

    /// How the cloud says its hosts are known.
    pub fn hosts(home: &Home) -> GetSshHostsResponse {
        block(async {
            cloud::ssh(home).await.get_ssh_hosts(GetSshHostsRequest {}).await.unwrap().into_inner()
        })
    }

    /// Tells the cloud of the key.
    pub fn register(&self) -> SshKey {
        let request = RegisterSshKeyRequest {
            request_id: "register".to_owned(),
            public_key: public(&self.key),
            name: String::new(),
        };
        block(async {
            cloud::ssh(self.home).await.register_ssh_key(request).await.unwrap().into_inner()
        })
    }

    /// Writes the configuration, with these lines before all others.
    pub fn configure(&self, first: &str) {
        let text = format!(
            "{first}\nHost *.aloft\n    ProxyCommand \"{}\" {} $(basename %h .aloft)\n    \
             IdentityFile {}\n    UserKnownHostsFile {}\n{STANZA}",
            program("test-tunnel").display(),
            cloud::socket(self.home).display(),
            self.key.display(),
            self.path("known_hosts").display(),
        );
        std::fs::write(self.path("config"), text).unwrap();
    }

    /// A path in the person's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The private key.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// One of OpenSSH's programs, told where everything is; ended where it hangs.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", PATIENCE, name, "-F"]).arg(self.path("config"));
        command.args(args).current_dir(&self.folder).stdin(Stdio::null());
        self.home.dress(&mut command);
        command
    }

    /// Runs a command line in a sandbox.
    pub fn ssh(&self, thread: &str, words: &[&str]) -> Run {
        finish(self.command("ssh", Self::words(thread, words)))
    }

    /// The same with this on its standard input.
    pub fn ssh_with(&self, thread: &str, words: &[&str], input: &[u8]) -> Run {
        feed(self.command("ssh", Self::words(thread, words)), input)
    }

    /// Runs a command line in a sandbox, which must work; what it printed.
    pub fn ok(&self, thread: &str, words: &[&str]) -> String {
        let run = self.ssh(thread, words);
        assert_eq!(run.code, 0, "ssh {words:?}\n{}\n{}", run.text(), run.stderr);
        run.text()
    }

    /// Writes a file of the person's own.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::File::create(&path).unwrap().write_all(content).unwrap();
        path
    }

    /// Options stand before the host.
    fn words(thread: &str, words: &[&str]) -> Vec<String> {
        let options = words.iter().take_while(|word| **word != "--").count();
        let (options, rest) =
            if options == words.len() { words.split_at(0) } else { words.split_at(options) };
        let rest = rest.iter().skip_while(|word| **word == "--");
        options
            .iter()
            .map(|word| (*word).to_owned())
            .chain([format!("{thread}.aloft")])
            .chain(rest.map(|word| (*word).to_owned()))
            .collect()
    }
}
