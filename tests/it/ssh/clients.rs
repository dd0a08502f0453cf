//! Clients that are not OpenSSH, and what editors do with those that are.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use aloft_tests::{
    cloud,
    home::{Home, finish, program},
};

use super::thread;

/// A terminal, its size and keys, its end; a transfer; a forward; all with paramiko.
const PARAMIKO: &str = include_str!("clients/paramiko.py");

#[test]
fn another_implementation_gets_along() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let script = person.write("paramiko-client.py", PARAMIKO.as_bytes());
    let mut command = Command::new("timeout");
    command.args(["120", "/usr/bin/python3"]).arg(script).arg(person.key());
    command.arg(format!(
        "{} {} {id}",
        program("test-tunnel").display(),
        cloud::socket(&home).display()
    ));
    home.dress(&mut command);
    let run = finish(command);
    assert_eq!((run.code, run.text().as_str()), (0, "done\n"), "{}", run.stderr);
}

#[test]
fn an_editor_sets_itself_up() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let host = format!("{id}.aloft");
    let socks = port.to_string();
    let mut command = person
        .command("ssh", ["-v", "-T", "-D", &socks, "-o", "ConnectTimeout=1800", &host, "bash"]);
    let mut client =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let script = "uname -s
cat > /tmp/server.py <<'END'
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'the page')
    def log_message(self, *words): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Page)
open('/tmp/port', 'w').write(str(server.server_port))
server.serve_forever()
END
setsid python3 /tmp/server.py > /dev/null 2>&1 < /dev/null &
while ! test -s /tmp/port; do sleep 0.05; done
echo listeningOn==$(cat /tmp/port)==
";
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "Linux");
    let said = lines.next().unwrap().unwrap();
    let inside: u16 = said.split("==").nth(1).unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    stream.write_all(&[&[5, 1, 0, 1, 127, 0, 0, 1][..], &inside.to_be_bytes()].concat()).unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.ends_with("the page"), "{page}");
    // A client stays for as long as something goes through it.
    drop((stdin, stream));
    assert_eq!(client.wait().unwrap().code(), Some(0));
    // What the editor left runs on for its next connection.
    assert_eq!(
        person.ok(&id, &["exec 3<> /dev/tcp/127.0.0.1/$(cat /tmp/port) && echo up"]),
        "up\n"
    );
}
