//! Files: whole or in part, replaced at once or not at all, with errors that name the path.

use std::os::unix::fs::PermissionsExt as _;

use aloft_proto::guest::{
    ListDirRequest, ReadRequest, RemoveRequest, StatRequest, WriteFileRequest,
};
use tonic::{Code, Status};

use crate::harness::{Guest, until};

#[tokio::test]
async fn a_large_file_goes_in_and_out_unchanged() {
    let guest = Guest::start();
    let content: Vec<u8> = (0..5_000_000_u32).map(|index| (index % 253) as u8).collect();
    let first =
        WriteFileRequest { path: "deep/er/file".into(), mode: 0o751, data: bytes::Bytes::new() };
    let pieces = content.chunks(100_000).map(|piece| WriteFileRequest {
        data: piece.to_vec().into(),
        ..WriteFileRequest::default()
    });
    let written = guest
        .files()
        .write(tokio_stream::iter(std::iter::once(first).chain(pieces).collect::<Vec<_>>()))
        .await;
    assert_eq!(written.unwrap().into_inner().bytes, 5_000_000);
    let path = guest.root().join("deep/er/file");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o751);
    assert!(std::fs::read(&path).unwrap() == content);

    assert!(read(&guest, "deep/er/file", 0, 0).await.unwrap() == content);
    let part = read(&guest, path.to_str().unwrap(), 1_000_000, 200_000).await.unwrap();
    assert!(part == content[1_000_000..1_200_000]);
    assert!(read(&guest, "deep/er/file", 6_000_000, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_write_that_breaks_off_changes_nothing() {
    let guest = Guest::start();
    let path = guest.root().join("file");
    std::fs::write(&path, "old").unwrap();
    let (pieces, stream) = tokio::sync::mpsc::channel(1);
    let mut files = guest.files();
    let call = tokio::spawn(async move {
        files.write(tokio_stream::wrappers::ReceiverStream::new(stream)).await
    });
    let piece = WriteFileRequest { path: "file".into(), mode: 0, data: "new".into() };
    pieces.send(piece).await.unwrap();
    until("it is being written", || {
        (std::fs::read_dir(guest.root()).unwrap().count() == 2).then_some(())
    })
    .await;
    call.abort();
    until("nothing is left", || {
        (std::fs::read_dir(guest.root()).unwrap().count() == 1).then_some(())
    })
    .await;
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[tokio::test]
async fn about_lists_and_removes() {
    let guest = Guest::start();
    std::fs::create_dir_all(guest.root().join("tree/inner")).unwrap();
    std::fs::write(guest.root().join("tree/b"), "12345").unwrap();
    std::os::unix::fs::symlink("/etc", guest.root().join("tree/a")).unwrap();
    let list = ListDirRequest { path: "tree".into() };
    let entries = guest.files().list_dir(list.clone()).await.unwrap().into_inner().entries;
    let shown: Vec<String> =
        entries.iter().map(|entry| format!("{} {}", entry.name, entry.kind)).collect();
    assert_eq!(shown, ["a symlink", "b file", "inner directory"]);
    let stat =
        guest.files().stat(StatRequest { path: "tree/b".into() }).await.unwrap().into_inner();
    assert_eq!((&*stat.name, stat.size), ("b", 5));
    assert!(stat.modified_seconds > 1_700_000_000);
    let remove = RemoveRequest { path: "tree".into() };
    guest.files().remove(remove.clone()).await.unwrap();
    guest.files().remove(remove).await.unwrap();
    let missing = guest.files().list_dir(list).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.message().contains("workspace/tree"), "{missing:?}");
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_does_not_hang() {
    let guest = Guest::start();
    let pipe = guest.root().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for (path, code) in [
        ("pipe", Code::FailedPrecondition),
        (".", Code::FailedPrecondition),
        ("none", Code::NotFound),
        ("", Code::InvalidArgument),
    ] {
        let status = read(&guest, path, 0, 0).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(path), "{status:?}");
    }
    std::fs::create_dir(guest.root().join("folder")).unwrap();
    let write = WriteFileRequest { path: "folder".into(), mode: 0, data: "x".into() };
    let status = guest.files().write(tokio_stream::iter([write])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
}

async fn read(guest: &Guest, path: &str, offset: u64, limit: u64) -> Result<Vec<u8>, Status> {
    let mut stream =
        guest.files().read(ReadRequest { path: path.into(), offset, limit }).await?.into_inner();
    let mut content = Vec::new();
    while let Some(piece) = stream.message().await? {
        assert!(piece.data.len() <= 64 * 1024);
        content.extend(piece.data);
    }
    Ok(content)
}
