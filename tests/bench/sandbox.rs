//! From nothing to the first command's answer inside a sandbox.

use std::{
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use aloft_cloud::sandbox::{
    Runtime as _, Spec,
    bubblewrap::{Bubblewrap, Options},
    guest::Command,
};
use anyhow::ensure;

use crate::report::{Goal, Report, milliseconds};

/// Sandboxes, one after the other.
const STARTS: usize = 40;
/// Longer than any command here takes.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let times = runtime.block_on(starts())?;
    report.add("sandbox: start to first command", "ms", Some(Goal::AtMost(60.0)), &times);
    Ok(())
}

async fn starts() -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::Builder::new().prefix("al").tempdir_in("/var/tmp")?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    let program = Some(aloft_tests::home::program("aloft-cloud"));
    let sandboxes = Bubblewrap::open(Options { program, ..Options::new(folder.path().join("s")) })?;
    let mut times = Vec::new();
    for number in 0..STARTS {
        let spec = Spec { id: format!("bench{number}"), incarnation: 1, ..Spec::default() };
        let began = Instant::now();
        let sandbox = sandboxes.start(&spec).await?;
        let command = Command::new(["/bin/true"]);
        let answer = sandbox.guest.run(&command, b"", LIMIT, 1 << 10).await?;
        times.push(milliseconds(began.elapsed()));
        ensure!(answer.success(), "the first command failed");
        sandboxes.destroy(&spec.id).await?;
    }
    Ok(times)
}
