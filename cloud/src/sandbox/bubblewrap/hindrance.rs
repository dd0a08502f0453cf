//! What bubblewrap says when a host does not let it work, and the mend for each.

use crate::sandbox::Hindrance;

const PROFILE: &str = "allow user namespaces for bubblewrap: write\n\
    abi <abi/4.0>,\ninclude <tunables/global>\nprofile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }\n\
    to /etc/apparmor.d/bwrap and run `sudo apparmor_parser -r /etc/apparmor.d/bwrap`";

const CONTAINER: &str = "inside a container, start that container with `--security-opt seccomp=unconfined \
    --security-opt apparmor=unconfined --security-opt systempaths=unconfined` (Podman: `--security-opt unmask=ALL`)";

const INSTALL: &str = "install bubblewrap 0.8 or newer: `sudo apt-get install bubblewrap` (Debian, Ubuntu), \
    `sudo dnf install bubblewrap` (Fedora), `sudo pacman -S bubblewrap` (Arch)";

/// Text of bubblewrap, code, mend; the first that fits counts.
const KNOWN: &[(&str, &str, &str)] = &[
    ("setting up uid map: Permission denied", "USER_NAMESPACES_REFUSED", PROFILE),
    ("Failed RTM_NEWADDR", "USER_NAMESPACES_REFUSED", PROFILE),
    ("Can't mount proc", "PROC_MASKED", CONTAINER),
    ("make / slave", "MOUNTS_REFUSED", CONTAINER),
    (
        "max_*_namespaces exceeded",
        "USER_NAMESPACES_DISABLED",
        "allow user namespaces: `sudo sysctl user.max_user_namespaces=15000` (none can be made inside a sandbox that forbids it)",
    ),
    (
        "No permissions to create new namespace",
        "USER_NAMESPACES_REFUSED",
        "allow user namespaces: `sudo sysctl kernel.unprivileged_userns_clone=1`, or as in the AppArmor profile of bubblewrap",
    ),
    ("No permissions to creat", "USER_NAMESPACES_REFUSED", PROFILE),
    ("Creating new namespace failed", "NAMESPACES_REFUSED", CONTAINER),
    ("Unknown option", "BUBBLEWRAP_TOO_OLD", INSTALL),
    (
        "pivot_root",
        "ROOT_IN_MEMORY",
        "the root file system lies in the first memory disk: move it to a disk; no other mend is known",
    ),
    (
        "Can't find source path",
        "SANDBOX_SOURCE_CLOSED",
        "make the path readable for the users of sandboxes (`chmod o+x` for each directory above it), or move it",
    ),
    ("seccomp", "SECCOMP_REFUSED", "use a kernel with CONFIG_SECCOMP_FILTER"),
];

/// Explains why bubblewrap ended; `said` is its standard error.
pub(super) fn explain(said: &str) -> Hindrance {
    let said = said.trim();
    let (code, fix) = KNOWN.iter().find(|(text, ..)| said.contains(text)).map_or_else(
        || ("SANDBOX_ENDED", "run `aloft doctor` and look at its report".to_owned()),
        |(_, code, fix)| (*code, (*fix).to_owned()),
    );
    let cause = if said.is_empty() {
        "it ended at once and said nothing".to_owned()
    } else {
        said.to_owned()
    };
    Hindrance { code, cause, fix }
}

/// There is no bubblewrap.
pub(super) fn missing() -> Hindrance {
    let cause = "the program bwrap was not found".to_owned();
    Hindrance { code: "BUBBLEWRAP_MISSING", cause, fix: INSTALL.to_owned() }
}

/// It cannot do what is needed.
pub(super) fn too_old(option: &str) -> Hindrance {
    let cause = format!("the installed bubblewrap does not know {option}");
    Hindrance { code: "BUBBLEWRAP_TOO_OLD", cause, fix: INSTALL.to_owned() }
}

/// It could not be executed.
pub(super) fn not_startable(error: &std::io::Error) -> Hindrance {
    let cause = format!("bubblewrap cannot be started: could not {error}");
    Hindrance { code: "SANDBOX_NOT_STARTABLE", cause, fix: INSTALL.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::sandbox::bubblewrap::hindrance::explain;

    #[test]
    fn known_failures_have_their_mend() {
        let table = [
            (
                "bwrap: setting up uid map: Permission denied",
                "USER_NAMESPACES_REFUSED",
                "apparmor_parser",
            ),
            (
                "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
                "USER_NAMESPACES_REFUSED",
                "userns",
            ),
            (
                "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
                "PROC_MASKED",
                "unmask=ALL",
            ),
            ("bwrap: Failed to make / slave: Permission denied", "MOUNTS_REFUSED", "container"),
            (
                "bwrap: Creating new namespace failed: Operation not permitted",
                "NAMESPACES_REFUSED",
                "container",
            ),
            (
                "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)",
                "USER_NAMESPACES_DISABLED",
                "max_user_namespaces",
            ),
            ("bwrap: Unknown option --argv0", "BUBBLEWRAP_TOO_OLD", "apt-get install bubblewrap"),
            ("bwrap: pivot_root: Invalid argument", "ROOT_IN_MEMORY", "disk"),
            (
                "bwrap: Can't find source path /m: Permission denied",
                "SANDBOX_SOURCE_CLOSED",
                "chmod o+x",
            ),
            ("", "SANDBOX_ENDED", "doctor"),
        ];
        for (said, code, fix) in table {
            let hindrance = explain(said);
            assert_eq!(hindrance.code, code, "{said}");
            assert!(hindrance.fix.contains(fix), "{said}: {}", hindrance.fix);
        }
    }
}
