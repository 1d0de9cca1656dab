// SPDX-License-Identifier: MIT OR Apache-2.0
/* The operation that was read last, and what answers it. */
#ifndef OPERATION_H
#define OPERATION_H

#include "world.h"

enum sort {
	MMAP, MUNMAP, MREMAP, LOAD, STORE, OPEN, PIPE, SOCKET, CLOSE, DUP, READ, WRITE, FTRUNCATE, TRUNCATE, UNLINK,
	FORK, VFORK, CLONE, EXEC, EXIT, ATTACH, DETACH, PEEK, POKE, SHMGET, SHMAT, SHMDT, SHMCTL, FUTEX_WAIT_CALL,
	FUTEX_WAKE_CALL, MAPS, MPROTECT, MSYNC, MLOCK, MADVISE, MINCORE, SYSCTL, DRIVER, SHOW,
};

extern struct operation {
	enum sort sort;
	/* Names bound; the second is a pipe's writing end. */
	u32 result, other_result;
	u32 descriptor, segment, child, other;
	u64 address, to, length, new_length, offset, flags;
	u32 protection;
	u8 byte, has_address, has_descriptor, has_other, is_file;
	char path[PATH_LIMIT];
	struct witness_script script;
	u8 is_flash;
} operation;

/* Bytes that an operation moves. */
extern u8 transfer[TRANSFER_LIMIT];

/* perform.c */
void say_error(long error);
/* The place of the process that the operation is about; NOBODY where it does not live. */
short other_place(void);

/* show.c */
/* The system's listing, or a process's. */
void perform_maps(short self);
/* Where bytes of memory or of a file are. */
void perform_show(void);

#endif
