//! The system calls that no sandbox may make, as a program for the kernel.
//!
//! Namespaces do not cover these: `AF_VSOCK` ignores network namespaces, `io_uring` goes around filters, and key rings
//! belong to the host's user. Sandboxes inside the sandbox need mounts and namespaces of their own, hence two variants.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Refused in every sandbox.
const ALWAYS: &[i64] = &[
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
];

/// Refused unless sandboxes inside the sandbox are allowed.
const UNLESS_NESTED: &[i64] = &[
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
];

/// The filter in the form that `bwrap --seccomp` reads: an array of `struct sock_filter`.
pub(super) fn filter(nested: bool) -> Result<Vec<u8>, seccompiler::BackendError> {
    let mut rules = BTreeMap::new();
    for call in ALWAYS {
        rules.insert(*call, Vec::new());
    }
    rules.insert(libc::SYS_socket, vec![first_is(libc::AF_VSOCK)?, first_is(libc::AF_PACKET)?]);
    rules.insert(libc::SYS_ioctl, vec![second_is(libc::TIOCSTI)?, second_is(libc::TIOCLINUX)?]);
    if !nested {
        for call in UNLESS_NESTED {
            rules.insert(*call, Vec::new());
        }
        rules.insert(libc::SYS_unshare, vec![new_user_namespace()?]);
        rules.insert(libc::SYS_clone, vec![new_user_namespace()?]);
    }
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    let program: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, refused, machine)?.try_into()?;
    Ok(program.iter().flat_map(instruction).collect())
}

/// The first argument is this address family.
fn first_is(family: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    rule(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))
}

/// The second argument is this request; the kernel looks at its lower half only.
fn second_is(request: libc::Ioctl) -> Result<SeccompRule, seccompiler::BackendError> {
    #[expect(clippy::unnecessary_cast, reason = "some C libraries have a signed type for it")]
    rule(1, SeccompCmpOp::Eq, request as u64)
}

/// The flags, first argument of `unshare` and `clone`, ask for a user namespace.
fn new_user_namespace() -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = u64::from(libc::CLONE_NEWUSER.unsigned_abs());
    rule(0, SeccompCmpOp::MaskedEq(flag), flag)
}

fn rule(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value,
    )?])
}

fn instruction(filter: &seccompiler::sock_filter) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&filter.code.to_ne_bytes());
    bytes[2] = filter.jt;
    bytes[3] = filter.jf;
    bytes[4..].copy_from_slice(&filter.k.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use crate::sandbox::bubblewrap::seccomp::filter;

    #[test]
    fn both_variants_compile_and_differ() {
        let strict = filter(false).unwrap();
        let nested = filter(true).unwrap();
        assert!(strict.len() > nested.len());
        assert_eq!(strict.len() % 8, 0);
        // The kernel takes at most 4,096 instructions.
        assert!(strict.len() / 8 < 4096);
    }
}
