//! Connects and hands the connection itself to the ssh that started it (`ProxyUseFdpass`): nothing of ours is in between then.
//!
//! usage: test-dial tcp PORT | guest SOCKET

#![expect(
    clippy::unwrap_used,
    reason = "a tool of tests ends where something is not as it must be"
)]

use std::{
    io::{IoSlice, Write},
    mem::MaybeUninit,
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

fn main() {
    let mut words = std::env::args().skip(1);
    let (kind, place) = (words.next().unwrap(), words.next().unwrap());
    let connection: OwnedFd = if kind == "tcp" {
        let stream = TcpStream::connect(("127.0.0.1", place.parse().unwrap())).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.into()
    } else {
        let mut stream = UnixStream::connect(place).unwrap();
        // As the cloud connects.
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, 4 << 20).unwrap();
        // Says that SSH follows and not gRPC.
        stream.write_all(&[0]).unwrap();
        stream.into()
    };
    let passed = [std::os::fd::AsFd::as_fd(&connection)];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut room);
    assert!(message.push(SendAncillaryMessage::ScmRights(&passed)));
    let byte = [IoSlice::new(&[0])];
    sendmsg(std::io::stdout(), &byte, &mut message, SendFlags::empty()).unwrap();
}
