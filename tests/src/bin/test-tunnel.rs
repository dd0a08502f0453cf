//! A tunnel to the SSH server of a thread on standard input and output, for a `ProxyCommand`: the least a client of the
//! cloud can be, so that the cloud is tested without the bridge.
//!
//! usage: test-tunnel SOCKET THREAD

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a tool of tests ends where something is not as it must be, and says so"
)]

use std::process::ExitCode;

use aloft_proto::v1::{
    TunnelHeader, TunnelRequest, ssh_service_client::SshServiceClient, tunnel_response::Event,
};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

/// What ssh takes for a failure of its own.
const FAILED: u8 = 255;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(run());
    // A read of the standard input would be waited for.
    runtime.shutdown_background();
    code
}

async fn run() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (socket, thread_id) = (words.next().unwrap(), words.next().unwrap());
    let channel = aloft_tests::cloud::channel(socket.into()).await;
    let (requests, stream) = mpsc::channel(4);
    let header = Some(TunnelHeader { thread_id, ..TunnelHeader::default() });
    requests.try_send(TunnelRequest { header, data: Bytes::new() }).unwrap();
    let call = SshServiceClient::new(channel).tunnel(ReceiverStream::new(stream)).await;
    let mut responses = match call {
        Ok(responses) => responses.into_inner(),
        Err(status) => {
            eprintln!("tunnel: {}", status.message());
            return ExitCode::from(FAILED);
        }
    };
    tokio::spawn(async move {
        let (mut stdin, mut data) = (tokio::io::stdin(), BytesMut::new());
        loop {
            data.reserve(64 * 1024);
            if matches!(stdin.read_buf(&mut data).await, Ok(0) | Err(_)) {
                return;
            }
            let request = TunnelRequest { header: None, data: data.split().freeze() };
            if requests.send(request).await.is_err() {
                return;
            }
        }
    });
    let mut stdout = tokio::io::stdout();
    loop {
        match responses.message().await {
            Ok(Some(response)) => match response.event {
                Some(Event::Data(data)) => {
                    if stdout.write_all(&data).await.is_err() || stdout.flush().await.is_err() {
                        return ExitCode::from(FAILED);
                    }
                }
                Some(Event::Progress(progress)) => eprintln!("tunnel: {}", progress.text),
                Some(Event::End(_)) => return ExitCode::SUCCESS,
                Some(Event::Opened(_)) | None => {}
            },
            Ok(None) => return ExitCode::SUCCESS,
            Err(status) => {
                eprintln!("tunnel: {}", status.message());
                return ExitCode::from(FAILED);
            }
        }
    }
}
