//! Connections through a session, both ways, over TCP and sockets; one connection for many; the key agent.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use aloft_tests::{
    home::{Home, finish},
    poll,
    ssh::{Person, keygen},
};

use super::thread;

/// Serves what is said to it, on a port and at a socket of the sandbox.
const ECHO: &str = "import socket, threading
def serve(family, place):
    listener = socket.socket(family)
    listener.bind(place)
    listener.listen(64)
    while True:
        stream, _ = listener.accept()
        def echo(stream=stream):
            while data := stream.recv(65536):
                stream.sendall(data)
            stream.close()
        threading.Thread(target=echo, daemon=True).start()
threading.Thread(target=serve, args=(socket.AF_UNIX, '/tmp/echo.sock')).start()
serve(socket.AF_INET, ('127.0.0.1', 8123))
";

/// A client in the background, ended at the end of the test.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn echo_inside(person: &Person<'_>, id: &str) {
    let start = "cat > /tmp/echo.py; setsid python3 /tmp/echo.py > /dev/null 2>&1 < /dev/null &";
    let run = person.ssh_with(id, &[start], ECHO.as_bytes());
    assert_eq!(run.code, 0, "{}", run.stderr);
    poll::until("the echo inside", || {
        let listens = "test -S /tmp/echo.sock && exec 3<> /dev/tcp/127.0.0.1/8123";
        (person.ssh(id, &[listens]).code == 0).then_some(())
    });
}

fn background(person: &Person<'_>, id: &str, words: &[&str]) -> Background {
    let host = format!("{id}.aloft");
    // Without the program that ends what hangs: its child would outlive it.
    let mut command = Command::new("ssh");
    command.arg("-F").arg(person.path("config")).args(words).arg(host);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    person.home.dress(&mut command);
    Background(command.spawn().unwrap())
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn echoes(mut stream: impl Read + Write) -> bool {
    let mut said = [0; 5];
    stream.write_all(b"hello").is_ok() && stream.read_exact(&mut said).is_ok() && said == *b"hello"
}

#[test]
fn what_listens_inside_is_reached_from_outside() {
    let home = Home::new();
    let (id, person) = thread(&home);
    echo_inside(&person, &id);
    let (port, to_socket, socks) = (free_port(), free_port(), free_port());
    let socket = person.path("local.sock");
    let forwards = [
        format!("-L{port}:localhost:8123"),
        format!("-L{to_socket}:/tmp/echo.sock"),
        format!("-L{}:127.0.0.1:8123", socket.display()),
        format!("-D{socks}"),
    ];
    let mut words: Vec<&str> = forwards.iter().map(String::as_str).collect();
    words.push("-N");
    let _client = background(&person, &id, &words);
    poll::until("the forwards", || {
        let connected = TcpStream::connect(("127.0.0.1", port)).ok()?;
        echoes(connected).then_some(())
    });
    assert!(echoes(TcpStream::connect(("127.0.0.1", to_socket)).unwrap()));
    assert!(echoes(UnixStream::connect(&socket).unwrap()));
    // SOCKS 5 without a password, to a name: what editors use.
    let through_socks = |port: u16| {
        let mut stream = TcpStream::connect(("127.0.0.1", socks)).unwrap();
        stream.write_all(&[5, 1, 0]).unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        let name = b"localhost";
        let mut request = vec![5, 1, 0, 3, 9];
        request.extend(name);
        request.extend(port.to_be_bytes());
        stream.write_all(&request).unwrap();
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).map(|()| answer[1]).ok().map(|code| (code, stream))
    };
    let (code, stream) = through_socks(8123).unwrap();
    assert!(code == 0 && echoes(stream));
    // Nobody listens there; the others go on.
    assert_ne!(through_socks(8124).map(|(code, _)| code), Some(0));
    assert!(echoes(TcpStream::connect(("127.0.0.1", port)).unwrap()));
    let host = format!("{id}.aloft");
    let run =
        aloft_tests::home::feed(person.command("ssh", ["-W", "localhost:8123", &host]), b"over");
    assert_eq!((run.code, run.text().as_str()), (0, "over"), "{}", run.stderr);
}

#[test]
fn what_listens_outside_is_reached_from_inside() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let outside = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = outside.local_addr().unwrap().port();
    let socket = person.path("outside.sock");
    let unix = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in outside.incoming() {
            let _gone = stream.unwrap().write_all(b"from outside\n");
        }
    });
    std::thread::spawn(move || {
        for stream in unix.incoming() {
            let _gone = stream.unwrap().write_all(b"from a socket\n");
        }
    });
    let back = format!("-R4100:127.0.0.1:{port}");
    let back_unix = format!("-R/tmp/back.sock:{}", socket.display());
    let read = "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/tmp/back.sock\"); print(s.recv(99).decode(), end=\"\")'";
    let script = format!("cat < /dev/tcp/127.0.0.1/4100; {read}; stat -c %a /tmp/back.sock");
    let said = person.ok(&id, &[&back, &back_unix, "--", &script]);
    assert_eq!(said, "from outside\nfrom a socket\n600\n");
    // A port of the sandbox's choice is told, and both are gone with the client.
    let any = format!("-R0:127.0.0.1:{port}");
    let run = person.ssh(&id, &["-o", "LogLevel=INFO", &any, "--", "sleep 0.1"]);
    assert!(run.stderr.contains("Allocated port "), "{}", run.stderr);
    let gone = "! test -e /tmp/back.sock && ! (exec 3<> /dev/tcp/127.0.0.1/4100) 2> /dev/null";
    poll::until("the listeners to go", || (person.ssh(&id, &[gone]).code == 0).then_some(()));
}

#[test]
fn one_connection_serves_many() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let control = person.path("cm");
    let path = format!("ControlPath={}", control.display());
    let _master = background(&person, &id, &["-o", &path, "-M", "-N"]);
    poll::until("the master", || control.exists().then_some(()));
    std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..20)
            .map(|number| {
                let (person, id, path) = (&person, &id, &path);
                scope.spawn(move || {
                    let line = format!("echo {number}; cat made");
                    let said = person.ok(id, &["-o", path, "-o", "ControlMaster=no", "--", &line]);
                    assert_eq!(said, format!("{number}\nhello\n"));
                })
            })
            .collect();
        for session in sessions {
            session.join().unwrap();
        }
    });
    let port = free_port();
    echo_inside(&person, &id);
    let host = format!("{id}.aloft");
    for (command, works) in [("forward", true), ("cancel", false)] {
        let forward = format!("{port}:localhost:8123");
        let run =
            finish(person.command("ssh", ["-o", &path, "-O", command, "-L", &forward, &host]));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let connected = TcpStream::connect(("127.0.0.1", port));
        assert_eq!(connected.is_ok_and(echoes), works, "{command}");
    }
}

#[test]
fn a_key_agent_is_reached_at_one_place_whoever_lends_it() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let agent = |name: &str| {
        let socket = person.path(&format!("{name}.sock"));
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let agent = Background(command.spawn().unwrap());
        poll::until("the key agent", || socket.exists().then_some(()));
        let key = keygen(&person.path("."), name, name);
        let mut add = Command::new("ssh-add");
        add.arg(&key).env("SSH_AUTH_SOCK", &socket);
        assert_eq!(finish(add).code, 0);
        (socket, agent)
    };
    let lending = |socket: &Path, words: &[&str]| {
        let host = format!("{id}.aloft");
        let mut command = person.command("ssh", ["-A", &host].iter().chain(words));
        command.env("SSH_AUTH_SOCK", socket);
        command
    };
    let (one, _one) = agent("first-key");
    let (two, _two) = agent("second-key");
    let run = finish(lending(&one, &["ssh-add -l; echo $SSH_AUTH_SOCK"]));
    assert!(run.text().contains("first-key"), "{} {}", run.text(), run.stderr);
    let place = run.text().lines().last().unwrap().to_owned();
    // An editor's server keeps the place it was started with: it leads to whoever lends an agent now.
    let old = format!("SSH_AUTH_SOCK={place} ssh-add -l");
    assert_ne!(person.ssh(&id, &[&old]).code, 0);
    let mut holding = lending(&two, &["cat"]);
    let mut client = holding.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    poll::until("the second key", || {
        let run = person.ssh(&id, &[&old]);
        run.text().contains("second-key").then_some(())
    });
    drop(client.stdin.take());
    client.wait().unwrap();
    poll::until("the place to be empty", || {
        (person.ssh(&id, &[&format!("test -e {place}")]).code != 0).then_some(())
    });
    // Nobody's agent is lent unasked.
    assert_eq!(person.ok(&id, &["echo ${SSH_AUTH_SOCK-none}"]), "none\n");
}
