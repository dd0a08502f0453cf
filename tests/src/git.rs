//! Real repositories to work on.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Runs git as a person without configuration would, and gives what it printed.
pub fn git(dir: &Path, args: &[&str]) -> String {
    String::from_utf8_lossy(&git_bytes(dir, args)).trim_end().to_owned()
}

/// Runs git and gives exactly what it printed.
pub fn git_bytes(dir: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .current_dir(dir)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@localhost",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A repository with two commits and a few files.
pub fn repository(dir: &Path) -> PathBuf {
    std::fs::create_dir_all(dir.join("src")).unwrap();
    git(dir, &["init", "-q"]);
    std::fs::write(dir.join("README.md"), "# Sample\n").unwrap();
    git(dir, &["add", "."]);
    git(dir, &["commit", "-q", "-m", "begin"]);
    std::fs::write(dir.join("src/main.py"), "FLAG = False\n\n\ndef main():\n    return FLAG\n")
        .unwrap();
    std::fs::write(dir.join(".gitignore"), "*.log\n").unwrap();
    git(dir, &["add", "."]);
    git(dir, &["commit", "-q", "-m", "add main"]);
    dir.to_owned()
}

/// Every file below a folder with its content, mode and time of change, so that any touch shows.
pub fn fingerprint(dir: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut lines = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            let shown = path.strip_prefix(dir).unwrap().display().to_string();
            let content = if about.is_dir() {
                folders.push(path);
                String::new()
            } else if about.is_symlink() {
                std::fs::read_link(&path).unwrap().display().to_string()
            } else {
                format!("{:?}", std::fs::read(&path).unwrap())
            };
            lines.push(format!(
                "{shown} {:o} {}.{} {content}",
                about.mode(),
                about.mtime(),
                about.mtime_nsec()
            ));
        }
    }
    lines.sort();
    lines
}
