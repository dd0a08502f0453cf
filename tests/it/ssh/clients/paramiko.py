# usage: paramiko-client.py KEY PROXYCOMMAND
import hashlib
import socket
import sys
import time

import paramiko

key = paramiko.Ed25519Key.from_private_key_file(sys.argv[1])


class Remember(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client, hostname, host_key):
        hosts.append(host_key)


def connect():
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(Remember())
    client.connect(
        "thread.aloft",
        username="agent",
        pkey=key,
        sock=paramiko.ProxyCommand(sys.argv[2]),
        allow_agent=False,
        look_for_keys=False,
        banner_timeout=60,
        auth_timeout=60,
    )
    return client


def until(channel, wanted):
    said = b""
    while wanted not in said:
        piece = channel.recv(4096)
        assert piece, said
        said += piece
    return said


hosts = []
client = connect()
_, stdout, stderr = client.exec_command("echo out; echo err >&2; exit 7")
assert stdout.read() == b"out\n" and stderr.read() == b"err\n"
assert stdout.channel.recv_exit_status() == 7

# A terminal: its size, a new size, Control-C, its end.
channel = client.get_transport().open_session()
channel.settimeout(60)
channel.get_pty("xterm", width=101, height=37)
channel.invoke_shell()
channel.send(b"stty size; tty; echo $TERM $((1 + 1))nd\n")
said = until(channel, b"2nd")
assert b"37 101" in said and b"/dev/pts/" in said and b"xterm 2nd" in said, said
channel.resize_pty(width=55, height=22)
channel.send(b"stty size; echo $((1 + 2))rd\n")
said = until(channel, b"3rd")
assert b"22 55" in said, said
channel.send(b"sleep 1000\n")
until(channel, b"sleep 1000")
time.sleep(0.3)
channel.send(b"\x03")
channel.send(b"echo code-$?-\n")
until(channel, b"code-130-")
channel.send(b"exit 9\n")
assert channel.recv_exit_status() == 9

# Files, also with a terminal asked for.
content = hashlib.sha256(b"x").digest() * 100_000
files = client.open_sftp()
with files.open("/workspace/by-paramiko", "wb") as file:
    file.set_pipelined(True)
    file.write(content)
with files.open("/workspace/by-paramiko", "rb") as file:
    file.prefetch()
    assert file.read() == content
assert files.stat("/workspace/by-paramiko").st_size == len(content)
files.close()

# A refused connection is an answer, not the end.
try:
    client.get_transport().open_channel("direct-tcpip", ("localhost", 9), ("localhost", 1))
    raise AssertionError("nobody listens there")
except paramiko.ChannelException as error:
    assert error.code == 2, error
# Half a connection back.
port = client.get_transport().request_port_forward("localhost", 0)
_, stdout, _ = client.exec_command(f"cat < /dev/tcp/localhost/{port}")
back = client.get_transport().accept(60)
back.sendall(b"from outside\n")
back.shutdown_write()
assert stdout.read() == b"from outside\n"
back.close()
client.get_transport().cancel_port_forward("localhost", port)
# What is said just before the end arrives whole: on a connection back, and as the input of a command.
content = bytes(1_000_000)
port = client.get_transport().request_port_forward("localhost", 0)
for number in range(8):
    _, stdout, _ = client.exec_command(f"wc -c < /dev/tcp/localhost/{port}")
    back = client.get_transport().accept(60)
    back.sendall(content)
    back.close()
    assert stdout.read() == b"1000000\n", number
    channel = client.get_transport().open_session()
    channel.exec_command(f"cat > /tmp/said-{number}")
    channel.sendall(content)
    channel.close()
    count = f"for i in $(seq 600); do test $(stat -c %s /tmp/said-{number}) = 1000000 && break; sleep 0.1; done"
    _, stdout, _ = client.exec_command(f"{count}; stat -c %s /tmp/said-{number}")
    assert stdout.read() == b"1000000\n", number
client.get_transport().cancel_port_forward("localhost", port)
client.get_transport().renegotiate_keys()
_, stdout, _ = client.exec_command("echo new keys")
assert stdout.read() == b"new keys\n"
client.close()

# It is the same host each time.
connect().close()
assert len(hosts) == 2 and hosts[0] == hosts[1]
print("done")
