//! Compiles the `.proto` files without `protoc`.

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=aloft");
    let files = protox::compile(
        [
            "aloft/v1/thread.proto",
            "aloft/v1/thread_service.proto",
            "aloft/v1/feed.proto",
            "aloft/v1/cloud_service.proto",
            "aloft/v1/ssh_service.proto",
            "aloft/v1/archive.proto",
            "aloft/v1/usage.proto",
            "aloft/v1/forge_service.proto",
            "aloft/guest/v1/guest.proto",
        ],
        ["."],
    )?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptor.bin"), files.encode_to_vec())?;
    // What a thread remembers beside its row is JSON, and these may be of it.
    let kept = "#[derive(serde::Serialize, serde::Deserialize)]";
    tonic_prost_build::configure()
        .bytes(".")
        .type_attribute("aloft.v1.Problem", format!("{kept} #[serde(default)]"))
        .type_attribute("aloft.v1.TurnState", kept)
        .compile_fds(files)?;
    Ok(())
}
