//! Writes the protocol's JSON Schema and TypeScript declarations into docs/.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, content) in aloft_bridge::protocol::schema::files() {
        std::fs::create_dir_all(project.join(&path).parent().unwrap_or(&project))?;
        std::fs::write(project.join(&path), content)?;
    }
    Ok(())
}
