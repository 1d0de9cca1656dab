// SPDX-License-Identifier: MIT OR Apache-2.0
/* System calls of Linux on riscv64, without a C library. */
#ifndef SYSTEM_H
#define SYSTEM_H

/* Nothing is looked up through a table of addresses, which would have to be relocated. */
#pragma GCC visibility push(hidden)

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define NULL ((void *)0)

enum call_number {
	CALL_EVENTFD2 = 19, CALL_DUP = 23, CALL_IOCTL = 29, CALL_MKNODAT = 33, CALL_MKDIRAT = 34,
	CALL_UNLINKAT = 35, CALL_MOUNT = 40, CALL_TRUNCATE = 45, CALL_FTRUNCATE = 46, CALL_FCHMODAT = 53,
	CALL_OPENAT = 56, CALL_CLOSE = 57, CALL_PIPE2 = 59, CALL_GETDENTS64 = 61, CALL_READ = 63, CALL_WRITE = 64,
	CALL_PREAD64 = 67, CALL_PWRITE64 = 68, CALL_NEWFSTATAT = 79, CALL_FSTAT = 80, CALL_EXIT = 93,
	CALL_FUTEX = 98, CALL_NANOSLEEP = 101, CALL_PTRACE = 117, CALL_KILL = 129, CALL_RT_SIGPROCMASK = 135, CALL_GETPID = 172, CALL_REBOOT = 142,
	CALL_SETFSUID = 151, CALL_SHMGET = 194, CALL_SHMCTL = 195, CALL_SHMAT = 196, CALL_SHMDT = 197,
	CALL_SOCKET = 198, CALL_MUNMAP = 215, CALL_MREMAP = 216, CALL_EXECVE = 221, CALL_MMAP = 222,
	CALL_MPROTECT = 226, CALL_MSYNC = 227, CALL_MLOCK = 228, CALL_MINCORE = 232, CALL_MADVISE = 233,
	CALL_WAIT4 = 260, CALL_PRLIMIT64 = 261, CALL_PIDFD_OPEN = 434, CALL_PIDFD_GETFD = 438,
};

enum error_number {
	EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, EBADF = 9, EAGAIN = 11, EFAULT = 14, EBUSY = 16,
	EINVAL = 22, ENOSYS = 38,
};

enum {
	AT_FDCWD = -100,
	O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, O_NONBLOCK = 04000,
	O_PATH = 010000000,
	S_IFIFO = 0010000, S_IFCHR = 0020000, S_IFBLK = 0060000, S_IFREG = 0100000,
	PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4,
	MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_UNINITIALIZED = 0x4000000,
	MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2,
	IPC_CREAT = 01000, IPC_EXCL = 02000, IPC_RMID = 0, IPC_STAT = 2, SHM_RDONLY = 010000, SHM_DEST = 01000,
	CLONE_VM = 0x100, CLONE_VFORK = 0x4000, CLONE_PARENT = 0x8000, SIGCHLD = 17, SIGKILL = 9,
	PTRACE_DETACH = 17, PTRACE_SEIZE = 0x4206, PTRACE_INTERRUPT = 0x4207, WALL = 0x40000000,
	FUTEX_WAIT = 0, FUTEX_WAKE = 1,
	LOOP_SET_FD = 0x4c00,
};

struct status {
	u64 device, inode;
	u32 mode, links, user, group;
	u64 special, unused0;
	long size;
	u32 block_size, unused1;
	u64 blocks;
	u64 times[6];
	u32 unused2[2];
};

struct segment_status {
	u32 key, user, group, owner, owner_group, mode;
	u16 sequence, unused0;
	u64 unused1, unused2;
	u64 size;
	u64 times[3];
	u32 creator, last;
	u64 attached, unused3, unused4;
};

long system_call(long a0, long a1, long a2, long a3, long a4, long a5, long number);
/* The child begins in `start`, on its own stack. */
long clone_onto(u64 flags, void *stack_top, void (*start)(long), long argument);

#define CALL6(n, a, b, c, d, e, f) \
	system_call((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f), CALL_##n)
#define CALL4(n, a, b, c, d) CALL6(n, a, b, c, d, 0, 0)
#define CALL3(n, a, b, c) CALL6(n, a, b, c, 0, 0, 0)
#define CALL2(n, a, b) CALL6(n, a, b, 0, 0, 0, 0)
#define CALL1(n, a) CALL6(n, a, 0, 0, 0, 0, 0)

void *memcpy(void *to, const void *from, u64 count);
void *memset(void *to, int value, u64 count);
int memcmp(const void *one, const void *other, u64 count);
u64 length_of(const char *text);
int same_text(const char *one, const char *other);

#endif
