//! Twenty threads at once on a repository with much history: how long until all have worked, and what disk they take.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use aloft_tests::{git::git, home::Home};
use anyhow::{Context as _, ensure};

use crate::report::{Goal, Report};

/// Threads at once.
const THREADS: u32 = 20;
/// Files of one MiB each in the history, which no packing makes smaller.
const HISTORY: usize = 100;
/// Files of 32 KiB in the checkout.
const FILES: usize = 100;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let repository = repository(&home.path("large"))?;
    let checkout = megabytes_on_disk(&repository)? - megabytes_on_disk(&repository.join(".git"))?;
    let path = repository.to_str().context("a path that is no text")?;
    let new = ["new", "--json", "--agent", "shell", "--mode", "auto", "--wait", "--repo", path];
    let began = Instant::now();
    home.ok(new.into_iter().chain(["$ echo first > first"]));
    report.add(
        "first thread on 100 MiB: to the end of its turn",
        "s",
        None,
        &[began.elapsed().as_secs_f64()],
    );

    let before = megabytes_on_disk(&home.path("data"))? + megabytes_on_disk(&home.path("s"))?;
    let began = Instant::now();
    let mut commands = Vec::new();
    for number in 0..THREADS {
        let prompt = format!("$ echo {number} > canary");
        commands.push(
            home.command(new.into_iter().chain([prompt.as_str()])).stdout(Stdio::null()).spawn()?,
        );
    }
    for mut command in commands {
        ensure!(command.wait()?.success(), "a thread did not come to the end of its turn");
    }
    let took = began.elapsed().as_secs_f64();
    let name = "twenty threads at once on 100 MiB: all turns done";
    report.add(name, "s", Some(Goal::AtMost(20.0)), &[took]);
    let after = megabytes_on_disk(&home.path("data"))? + megabytes_on_disk(&home.path("s"))?;
    let each = (after - before) / f64::from(THREADS) - checkout;
    let name = "twenty threads at once on 100 MiB: disk of each beyond its checkout";
    report.add(name, "MiB", Some(Goal::AtMost(40.0)), &[each]);
    Ok(())
}

/// A history of about 100 MiB that no compression makes smaller, and a checkout of about 3 MiB.
fn repository(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    git(folder, &["init", "-q"]);
    let mut random = std::fs::File::open("/dev/urandom")?;
    let mut fill = |name: String, size: usize| -> anyhow::Result<()> {
        let mut content = vec![0; size];
        random.read_exact(&mut content)?;
        Ok(std::fs::write(folder.join(name), content)?)
    };
    for number in 0..HISTORY {
        fill(format!("old{number}"), 1 << 20)?;
    }
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "much"]);
    git(folder, &["rm", "-q", "-r", "."]);
    // Git removes a folder that has become empty.
    std::fs::create_dir_all(folder)?;
    for number in 0..FILES {
        fill(format!("file{number}"), 32 << 10)?;
    }
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "less"]);
    git(folder, &["-c", "core.compression=0", "gc", "-q"]);
    Ok(folder.to_owned())
}

/// What a folder takes on disk, in MiB.
fn megabytes_on_disk(folder: &Path) -> anyhow::Result<f64> {
    use std::os::unix::fs::MetadataExt as _;
    let (mut blocks, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.path().symlink_metadata() else { continue };
            blocks += about.blocks();
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(f64::from(u32::try_from(blocks)?) / 2048.0)
}
