//! The filters of system calls that every confined worker runs under (SANDBOX section 2): what no build, test or agent
//! needs, and what sandboxes were left through.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

/// Not there: programs ask for these and do without (an old kernel has none of them). `clone3` takes its flags from
/// memory, where no filter can look; the C library then takes `clone`.
const ABSENT: [i64; 4] =
    [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Refused: other processes' memory, mounts, namespaces, keys, the kernel itself.
const REFUSED: [i64; 35] = [
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
];

/// Calls of a terminal that put words into its input.
const TERMINAL: [u64; 2] = [0x5412, 0x541c]; // TIOCSTI, TIOCLINUX

/// Kinds of sockets that there are; the rest (virtual machines, the kernel's ciphers, Bluetooth) no namespace keeps apart.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Both filters, as the kernel takes them. Each holds by itself; a call that either refuses is refused.
///
/// # Errors
/// On a processor that the filters were not written for.
pub(crate) fn filters() -> Result<[BpfProgram; 2], BackendError> {
    let absent = ABSENT.into_iter().map(|call| (call, Vec::new())).collect();
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let terminal = TERMINAL.map(|what| rule(&[(1, Len::Dword, Op::Eq, what)]));
    refused.insert(libc::SYS_ioctl, terminal.into_iter().collect::<Result<_, _>>()?);
    let user = u64::from(libc::CLONE_NEWUSER.unsigned_abs());
    for call in [libc::SYS_unshare, libc::SYS_clone] {
        refused.insert(call, vec![rule(&[(0, Len::Qword, Op::MaskedEq(user), user)])?]);
    }
    let others = FAMILIES.map(|family| (0, Len::Dword, Op::Ne, u64::from(family.unsigned_abs())));
    refused.insert(libc::SYS_socket, vec![rule(&others)?]);
    Ok([filter(absent, libc::ENOSYS)?, filter(refused, libc::EPERM)?])
}

fn rule(conditions: &[(u8, Len, Op, u64)]) -> Result<SeccompRule, BackendError> {
    let one = |(at, len, op, value): &(u8, Len, Op, u64)| {
        SeccompCondition::new(*at, len.clone(), op.clone(), *value)
    };
    SeccompRule::new(conditions.iter().map(one).collect::<Result<_, _>>()?)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, BackendError> {
    let errno = SeccompAction::Errno(error.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, errno, arch)?.try_into()
}

/// Lays the filters on this process and all it will start.
///
/// # Errors
/// A processor for which there are none, or what the kernel says; in words.
pub(crate) fn apply() -> Result<(), String> {
    let all = filters().map_err(|fault| format!("seccomp: {fault}"))?;
    all.iter().try_for_each(|filter| {
        seccompiler::apply_filter(&whole(filter)).map_err(|fault| format!("seccomp: {fault}"))
    })
}

/// With what the rules do not know: on x86-64 a second set of numbers for the same calls (x32). Loads the number, and if it
/// is at least 2^30: ENOSYS.
fn whole(filter: &BpfProgram) -> BpfProgram {
    let step = |code, jf, k| sock_filter { code, jt: 0, jf, k };
    let mut steps = Vec::new();
    if cfg!(target_arch = "x86_64") {
        steps.push(step(0x20, 0, 0));
        steps.push(step(0x35, 1, 0x4000_0000));
        steps.push(step(0x06, 0, 0x0005_0000 | libc::ENOSYS.unsigned_abs()));
    }
    steps.extend(filter.iter().cloned());
    steps
}

/// A filter as bytes, for `bwrap --add-seccomp-fd`.
pub(crate) fn bytes(filter: &BpfProgram) -> Vec<u8> {
    let mut bytes = Vec::new();
    for step in whole(filter) {
        bytes.extend_from_slice(&step.code.to_ne_bytes());
        bytes.extend_from_slice(&[step.jt, step.jf]);
        bytes.extend_from_slice(&step.k.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_programs_that_the_kernel_takes() {
        for filter in filters().unwrap() {
            let bytes = bytes(&filter);
            assert_eq!(bytes.len() % 8, 0);
            assert!(bytes.len() / 8 < 4096, "BPF_MAXINSNS");
        }
    }
}
