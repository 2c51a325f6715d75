/**
 * Syscall names by purpose, each group with the reason why a sandbox gets it or not (names from syscalls(2) and the kernel's
 * tables for x86_64 and aarch64; one that an architecture lacks is skipped by libseccomp).
 */
export interface SyscallGroup {
  readonly purpose: string
  readonly reason: string
  readonly names: ReadonlyArray<string>
}

const names = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

const group = (purpose: string, reason: string, text: string): SyscallGroup => ({ purpose, reason, names: names(text) })

export const allowed: ReadonlyArray<SyscallGroup> = [
  group(
    "files by descriptor",
    "every program reads and writes",
    `read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2 dup3
     fcntl flock ioctl fsync fdatasync syncfs sync_file_range ftruncate fallocate fadvise64 readahead copy_file_range
     sendfile splice tee cachestat pipe pipe2`
  ),
  group(
    "paths",
    "bounded by mounts, modes and the read-only root",
    `open openat openat2 creat access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs readlink
     readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
     link linkat symlink symlinkat truncate chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat umask utime
     utimes utimensat futimesat getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr
     flistxattr removexattr lremovexattr fremovexattr`
  ),
  group(
    "waiting",
    "event loops; instances are bounded by open files and per-uid counters, and every sandbox has its own uid",
    `poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2
     signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch
     inotify_rm_watch`
  ),
  group(
    "memory",
    "charged to the sandbox's memory cgroup; locking is bounded by RLIMIT_MEMLOCK",
    `brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall munlockall memfd_create
     pkey_alloc pkey_free pkey_mprotect mseal map_shadow_stack membarrier`
  ),
  group(
    "processes",
    "bounded by the pids cgroup; clone itself is filtered by flags",
    `fork vfork execve execveat exit exit_group wait4 waitid pidfd_open pidfd_send_signal getpid gettid getppid getpgrp
     getpgid setpgid getsid setsid set_tid_address set_robust_list get_robust_list rseq restart_syscall prctl arch_prctl
     getcpu`
  ),
  group(
    "signals",
    "reach only the sandbox's own pid namespace",
    `kill tkill tgkill pause alarm sigaltstack rt_sigaction rt_sigprocmask rt_sigpending rt_sigreturn rt_sigsuspend
     rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo`
  ),
  group("futexes", "locks of threads", "futex futex_waitv futex_wait futex_wake futex_requeue"),
  group(
    "time, reading",
    "clocks cannot be set with these",
    `time times gettimeofday clock_gettime clock_getres nanosleep clock_nanosleep getitimer setitimer timer_create
     timer_settime timer_gettime timer_getoverrun timer_delete`
  ),
  group(
    "scheduling",
    "lowering only: RLIMIT_RTPRIO and RLIMIT_NICE are 0 and no capability is held",
    `sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler
     sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min
     sched_rr_get_interval getpriority setpriority ioprio_get ioprio_set`
  ),
  group(
    "limits and facts",
    "limits can only be lowered without a capability",
    "getrlimit setrlimit prlimit64 getrusage sysinfo uname getrandom"
  ),
  group(
    "identity",
    "without capabilities these change nothing; the runtime itself needs them after the filter when new privileges are allowed",
    `getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setreuid setregid setresuid setresgid
     setgroups setfsuid setfsgid capget capset`
  ),
  group(
    "sockets",
    "what may be opened is decided by the filter on socket",
    `bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt shutdown sendto recvfrom sendmsg
     recvmsg sendmmsg recvmmsg`
  ),
  group(
    "System V and POSIX IPC",
    "private IPC namespace, charged memory, RLIMIT_MSGQUEUE 0",
    `shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink
     mq_timedsend mq_timedreceive mq_notify mq_getsetattr`
  ),
  group(
    "self-restriction",
    "a process can only tighten itself",
    "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"
  )
]

/** Left out on purpose; everything else that is not allowed is refused the same way. */
export const refused: ReadonlyArray<SyscallGroup> = [
  group("new namespaces", "open the kernel code that most container escapes start from", "unshare setns"),
  group(
    "mounts",
    "change what a path means",
    `mount umount2 mount_setattr open_tree move_mount fsopen fspick fsmount fsconfig pivot_root chroot statmount
     listmount quotactl quotactl_fd swapon swapoff`
  ),
  group(
    "io_uring",
    "bypasses syscall filters and has a long record of flaws",
    "io_uring_setup io_uring_enter io_uring_register"
  ),
  group(
    "kernel asynchronous I/O",
    "draws on fs.aio-max-nr, one counter for the whole host",
    "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents"
  ),
  group(
    "other processes' memory",
    "no debugger runs in a sandbox",
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease"
  ),
  group("kernel programs and counters", "kernel attack surface", "bpf perf_event_open userfaultfd"),
  group("keyrings", "are not namespaced without user namespaces", "add_key request_key keyctl"),
  group("handles", "reach files outside the mount namespace", "open_by_handle_at name_to_handle_at"),
  group("host-wide watching", "needs privileges that no sandbox has", "fanotify_init fanotify_mark"),
  group(
    "the machine",
    "only a host administrator may",
    `reboot kexec_load kexec_file_load init_module finit_module delete_module iopl ioperm acct syslog vhangup
     sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime`
  ),
  group("all file systems at once", "sync(2) flushes the neighbours' data too; fsync and syncfs remain", "sync"),
  group(
    "memory policy",
    "NUMA placement and moving pages concern the host",
    "mbind get_mempolicy set_mempolicy set_mempolicy_home_node migrate_pages move_pages"
  ),
  group(
    "rare and risky",
    "unused by ordinary programs, each with a history of flaws",
    "modify_ldt remap_file_pages vmsplice memfd_secret lookup_dcookie uselib ustat sysfs _sysctl nfsservctl socketcall"
  )
]
