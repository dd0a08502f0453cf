//! Starts one sandbox for real, looks around in it and removes it: what the host grants is seen, not assumed.

use std::time::Duration;

use uuid::Uuid;

use crate::sandbox::bubblewrap::{Bubblewrap, blocking};
use crate::sandbox::guest::Command;
use crate::sandbox::{Check, Error, Limits, Report, Result, Runtime as _, Sandbox, Spec};

/// Time limit of the command that looks around.
const LOOK: Duration = Duration::from_secs(10);

/// Bytes of its output.
const OUTPUT: usize = 64 * 1024;

/// Looks around from inside; each line is a name and what was seen.
const SCRIPT: &str = r#"
while read -r name value; do case $name in CapEff:|NoNewPrivs:|Seccomp:) echo "$name $value";; esac; done < /proc/self/status
interfaces=0
while read -r line; do case $line in *:*) interfaces=$((interfaces + 1));; esac; done < /proc/net/dev
echo "interfaces: $interfaces"
if (: > /usr/.aloft) 2>/dev/null; then echo "system: writable"; else echo "system: read-only"; fi
"#;

pub(super) async fn probe(runtime: &Bubblewrap) -> Result<Report> {
    let shared = std::sync::Arc::clone(&runtime.shared);
    let (path, nested) = blocking(move || {
        let tool = shared.tool()?;
        Ok((tool.path.display().to_string(), tool.host.disable_user_namespaces))
    })
    .await?;
    // As long as the id of a thread: a folder too deep for the one is too deep for the other.
    let id = format!("probe-{:06x}", Uuid::new_v4().as_fields().0 & 0x00ff_ffff);
    let limits =
        Limits { memory_bytes: 512 << 20, processes: 256, cpu_milli: 1000, file_bytes: 1 << 30 };
    let spec = Spec { id: id.clone(), incarnation: 1, limits, ..Spec::default() };
    let begun = std::time::Instant::now();
    let started = runtime.start(&spec).await;
    let took = begun.elapsed();
    let seen = match started {
        Ok(sandbox) => look(&sandbox).await.and_then(|seen| {
            // Inside, every user has another name.
            let record = runtime.shared.layout.home(&id)?.record();
            let user =
                record.and_then(|record| record.init.user().ok()).map(|user| user.to_string());
            Ok(format!("{seen}host-user: {}\n", user.unwrap_or_default()))
        }),
        Err(error) => Err(error),
    };
    runtime.destroy(&id).await?;
    let mut checks = vec![
        Check { name: "bubblewrap", ok: true, detail: path, hint: String::new() },
        Check {
            name: "start",
            ok: true,
            detail: format!("first answer after {} ms", took.as_millis()),
            hint: String::new(),
        },
        Check {
            name: "nested user namespaces",
            ok: nested,
            detail: if nested { "can be forbidden" } else { "are forbidden by the filter only" }
                .to_owned(),
            hint: if nested { String::new() } else { "install bubblewrap 0.8 or newer".to_owned() },
        },
    ];
    checks.extend(judge(&seen?));
    Ok(Report { checks, unenforced: unenforced(runtime) })
}

async fn look(sandbox: &Sandbox) -> Result<String> {
    let command = Command::new(["/bin/sh", "-c", SCRIPT]);
    let output = sandbox.guest.run(&command, b"", LOOK, OUTPUT).await;
    let output = output.map_err(|source| Error::Guest { id: sandbox.id.clone(), source })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Each line of the script against what it must be.
fn judge(seen: &str) -> Vec<Check> {
    let value = |name: &str| {
        let line = seen.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let check = |name, key, right: fn(&str) -> bool| {
        let value = value(key);
        let ok = right(&value);
        let hint =
            if ok { "" } else { "do not run agents on this host: the sandbox is not closed" };
        Check {
            name,
            ok,
            detail: if value.is_empty() { "not seen".to_owned() } else { value },
            hint: hint.to_owned(),
        }
    };
    vec![
        check("capabilities", "CapEff", |value| {
            !value.is_empty() && value.bytes().all(|byte| byte == b'0')
        }),
        check("no new privileges", "NoNewPrivs", |value| value == "1"),
        check("system call filter", "Seccomp", |value| value == "2"),
        check("network interfaces", "interfaces", |value| value == "1"),
        check("user on the host", "host-user", |value| {
            value.parse::<u32>().is_ok_and(|user| user != 0)
        }),
        check("system directories", "system", |value| value == "read-only"),
    ]
}

/// Limits this host does not hold a sandbox to.
fn unenforced(runtime: &Bubblewrap) -> Vec<String> {
    let groups = &runtime.shared.groups;
    let mut missing = Vec::new();
    if groups.memory.is_none() {
        missing.push("memory: no control group with a limit on memory can be made".to_owned());
    }
    if groups.processes.is_none() && !runtime.shared.limits_itself() {
        missing.push(
            "processes: no control group can be made, and this kernel counts processes of the cloud's user together"
                .to_owned(),
        );
    }
    if groups.cpu.is_none() {
        missing.push("cpu: no control group with a limit on CPU time can be made".to_owned());
    }
    missing
        .push("disk: the size of a single file is limited, that of all together is not".to_owned());
    missing
}

#[cfg(test)]
mod tests {
    use crate::sandbox::bubblewrap::probe::judge;

    #[test]
    fn what_was_not_seen_is_not_fine() {
        assert!(judge("").iter().all(|check| !check.ok && !check.hint.is_empty()));
        let good = "CapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\ninterfaces: 1\nhost-user: 1879049192\nsystem: read-only\n";
        assert!(judge(good).iter().all(|check| check.ok));
        let root = good.replace("1879049192", "0");
        assert_eq!(judge(&root).iter().filter(|check| !check.ok).count(), 1);
    }
}
