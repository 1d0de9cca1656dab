// SPDX-License-Identifier: MIT OR Apache-2.0
/* Performs the operation that was read with real system calls, and answers it. */
#include "channel.h"
#include "operation.h"

/* Where segments that cannot be attached are said to be: there is no memory. */
#define NOWHERE 0xfe000000000000ul

u64 address_of[NAMES];
int segment_of[NAMES];
short place_of[NAMES];
short file_of[DESCRIPTOR_NAMES];
u8 is_used = 1;
u8 transfer[TRANSFER_LIMIT];

void say_error(long error)
{
	say("= error ");
	say_decimal(-error);
	say_character('\n');
}

static void done_or_error(long result)
{
	if (result < 0)
		say_error(result);
	else
		say("= done\n");
}

static void count_or_error(long result)
{
	if (result < 0) {
		say_error(result);
		return;
	}
	say("= count ");
	say_decimal(result);
	say_character('\n');
}

static void say_contents(const u8 *bytes, u64 count)
{
	say("= bytes ");
	say_hexadecimal_bytes(bytes, count);
	say_character('\n');
}

static void address_or_error(long result)
{
	/* As the kernel tells errors from addresses. */
	if (result < 0 && result >= -4095) {
		address_of[operation.result] = 0;
		say_error(result);
		return;
	}
	address_of[operation.result] = result;
	say("= address ");
	say_hexadecimal(result);
	say_character('\n');
}

/* What a name stands for in a process; 9999 is open nowhere. */
static int descriptor_of(struct process *self)
{
	if (operation.descriptor >= DESCRIPTOR_NAMES || self->descriptor[operation.descriptor] < 0)
		return 9999;
	return self->descriptor[operation.descriptor];
}

static void bind_descriptor(struct process *self, u32 name, long descriptor, short number)
{
	self->descriptor[name] = descriptor < 0 ? -1 : descriptor;
	file_of[name] = descriptor < 0 ? NOBODY : number;
}

short other_place(void)
{
	short place = place_of[operation.other];

	return place != NOBODY && process[place].alive ? place : NOBODY;
}

static void perform_open(struct process *self)
{
	long descriptor = CALL4(OPENAT, AT_FDCWD, operation.path, operation.flags, 0777);

	bind_descriptor(self, operation.result, descriptor, descriptor < 0 ? NOBODY : register_file(operation.path));
	done_or_error(descriptor);
}

static void perform_pipe(struct process *self)
{
	int ends[2] = { -1, -1 };
	long result = CALL2(PIPE2, ends, 0);

	bind_descriptor(self, operation.result, result < 0 ? -1 : ends[0], NOBODY);
	bind_descriptor(self, operation.other_result, result < 0 ? -1 : ends[1], NOBODY);
	done_or_error(result);
}

void access_memory(void)
{
	if (operation.sort == LOAD)
		memcpy(transfer, (const void *)operation.address, operation.length);
	else
		memset((void *)operation.address, operation.byte, operation.length);
}

static void perform_load(short self)
{
	int signal;

	if (operation.length > TRANSFER_LIMIT)
		say("= unsupported\n");
	else if (!operation.length)
		say("= bytes \n");
	else if (!mapping_around(self, operation.address, operation.length))
		say_error(-EFAULT);
	else {
		/* Where the kernel listed memory that is none, the process ends here, before it says a word. */
		signal = access_as(self);
		if (signal)
			say_ended(self, signal);
		else
			say_contents(transfer, operation.length);
	}
}

static void perform_store(short self)
{
	struct mapping *mapping = mapping_around(self, operation.address, operation.length);
	int signal;

	if (!operation.length) {
		say("= done\n");
		return;
	}
	if (!mapping || is_direct_rom(mapping)) {
		say_error(-EFAULT);
		return;
	}
	signal = access_as(self);
	if (signal)
		say_ended(self, signal);
	else
		say("= done\n");
}

static void perform_transfer(struct process *self)
{
	int descriptor = descriptor_of(self);
	long count;

	if (operation.length > TRANSFER_LIMIT) {
		say("= unsupported\n");
		return;
	}
	if (operation.sort == WRITE) {
		memset(transfer, operation.byte, operation.length);
		count_or_error(CALL4(PWRITE64, descriptor, transfer, operation.length, operation.offset));
		return;
	}
	count = CALL4(PREAD64, descriptor, transfer, operation.length, operation.offset);
	if (count < 0)
		say_error(count);
	else
		say_contents(transfer, count);
}

static void perform_attach(short self)
{
	short other = other_place();
	long result = CALL4(PTRACE, PTRACE_SEIZE, other == NOBODY ? 99999 : process[other].pid, 0, 0);

	if (result >= 0)
		process[other].tracer = self;
	done_or_error(result);
}

static void perform_detach(short self)
{
	short other = other_place();
	int status;

	if (other == NOBODY || process[other].tracer != self) {
		say_error(-ESRCH);
		return;
	}
	if (process[other].suspended) {
		/* It cannot be stopped there, and only what is stopped can be let go. */
		say("= unsupported\n");
		return;
	}
	CALL4(PTRACE, PTRACE_INTERRUPT, process[other].pid, 0, 0);
	CALL4(WAIT4, process[other].pid, &status, WALL, 0);
	process[other].tracer = NOBODY;
	done_or_error(CALL4(PTRACE, PTRACE_DETACH, process[other].pid, 0, 0));
}

/* By way of /proc/<pid>/mem, which goes through the same checks as a peek of one word. */
static void perform_peek(short self)
{
	short other = other_place();
	char path[32];
	u64 length = 6;
	char digits[12];
	int pid, count = 0;
	long descriptor, result;

	if (other == NOBODY || process[other].tracer != self) {
		say_error(-ESRCH);
		return;
	}
	if (operation.length > TRANSFER_LIMIT) {
		say("= unsupported\n");
		return;
	}
	memcpy(path, "/proc/", 6);
	pid = process[other].pid;
	do
		digits[count++] = '0' + pid % 10;
	while (pid /= 10);
	while (count)
		path[length++] = digits[--count];
	memcpy(path + length, "/mem", 5);
	CALL1(SETFSUID, 0);
	descriptor = CALL4(OPENAT, AT_FDCWD, path, O_RDWR, 0);
	CALL1(SETFSUID, 1000);
	if (operation.sort == PEEK) {
		result = CALL4(PREAD64, descriptor, transfer, operation.length, operation.address);
	} else {
		memset(transfer, operation.byte, operation.length);
		result = CALL4(PWRITE64, descriptor, transfer, operation.length, operation.address);
	}
	CALL1(CLOSE, descriptor);
	if (operation.sort == POKE)
		count_or_error(result);
	else if (result < 0)
		say_error(result);
	else
		say_contents(transfer, result);
}

static void perform_shmget(void)
{
	long id = CALL3(SHMGET, operation.offset, operation.length, operation.flags | 0600);
	u32 number;

	segment_of[operation.result] = id < 0 ? -1 : id;
	if (id >= 0) {
		for (number = 0; number < segments; number++)
			if (segment[number].id == id && !segment[number].dead)
				break;
		if (number == segments && segments < SEGMENTS) {
			/* Where it lies is told by attaching it; nothing else has it yet. */
			long start = CALL3(SHMAT, id, 0, 0);

			segment[segments].id = id;
			segment[segments].dead = 0;
			if (start < 0 && start >= -4095)
				segment[segments].start = NOWHERE + ((u64)segments << 32);
			else
				CALL1(SHMDT, start);
			segments++;
		}
	}
	done_or_error(id);
}

static void perform_shmctl(void)
{
	struct segment_status status;
	long result = CALL3(SHMCTL, segment_of[operation.segment], operation.flags, &status);

	if (operation.flags == IPC_RMID || result < 0) {
		done_or_error(result);
		return;
	}
	say("= segment ");
	say_decimal(status.size);
	say_character(' ');
	say_decimal(status.attached);
	say_character('\n');
}

static void perform_futex(void)
{
	u64 no_time[2] = { 0, 0 };

	if (operation.sort == FUTEX_WAIT_CALL)
		done_or_error(CALL4(FUTEX, operation.address, FUTEX_WAIT, operation.length, no_time));
	else
		count_or_error(CALL4(FUTEX, operation.address, FUTEX_WAKE, operation.length, 0));
}

/* Regular files of a trace are no programs that a kernel could run. What can be seen is why it refuses anything else. */
static void perform_exec(void)
{
	const char *none[1] = { NULL };
	struct status status;

	if (CALL4(NEWFSTATAT, AT_FDCWD, operation.path, &status, 0) >= 0 &&
	    (status.mode & 0170000) == S_IFREG)
		say("= unsupported\n");
	else
		done_or_error(CALL3(EXECVE, operation.path, none, none));
}

/* Whether the caller goes on: after vfork its child does, and has answered. */
static int perform_birth(short self)
{
	u64 flags = operation.sort == VFORK ? CLONE_VM | CLONE_VFORK : operation.flags;
	/* While a vfork child lives, the operation is another one. */
	u32 child = operation.child;
	long result = start_process(self, child, flags);

	if (flags & CLONE_VFORK && result >= 0)
		return 0;
	if (result < 0)
		place_of[child] = NOBODY;
	done_or_error(result);
	return 1;
}

static void set_trim(void)
{
	char digits[20];
	int count = sizeof(digits);
	u64 trim = operation.length;
	long result;

	do
		digits[--count] = '0' + trim % 10;
	while (trim /= 10);
	result = CALL4(PWRITE64, trim_file, digits + count, sizeof(digits) - count, 0);
	done_or_error(result < 0 ? result : 0);
}

static enum file_change file_change(void)
{
	switch (operation.sort) {
	case OPEN: case WRITE: case FTRUNCATE: case TRUNCATE: case UNLINK:
		return SIZES_CHANGE;
	case CLOSE: case EXIT: case EXEC: case MUNMAP: case MMAP: case READ:
		return PAGES_CHANGE;
	default:
		return FILES_STAY;
	}
}

int perform(short place)
{
	struct process *self = place == NOBODY ? NULL : &process[place];
	u64 flags = operation.flags;

	if (operation.sort != SHOW)
		is_used = 1;
	if (operation.path[0])
		note_touched(operation.path);
	switch (operation.sort) {
	case MMAP:
		if (!operation.has_descriptor)
			flags |= MAP_ANONYMOUS;
		address_or_error(CALL6(MMAP, operation.has_address ? operation.address : 0, operation.length,
				       operation.protection, flags,
				       operation.has_descriptor ? descriptor_of(self) : -1, operation.offset));
		break;
	case MUNMAP:
		done_or_error(CALL2(MUNMAP, operation.address, operation.length));
		break;
	case MREMAP:
		address_or_error(CALL6(MREMAP, operation.address, operation.length, operation.new_length, flags,
				       operation.to, 0));
		break;
	case LOAD:
		perform_load(place);
		break;
	case STORE:
		perform_store(place);
		break;
	case OPEN:
		perform_open(self);
		break;
	case PIPE:
		perform_pipe(self);
		break;
	case SOCKET: {
		long descriptor = CALL3(SOCKET, 1, 1, 0);

		bind_descriptor(self, operation.result, descriptor, NOBODY);
		done_or_error(descriptor);
		break;
	}
	case CLOSE: {
		long result = CALL1(CLOSE, descriptor_of(self));

		if (result >= 0)
			self->descriptor[operation.descriptor] = -1;
		done_or_error(result);
		break;
	}
	case DUP: {
		long descriptor = CALL1(DUP, descriptor_of(self));

		bind_descriptor(self, operation.result, descriptor,
				operation.descriptor < DESCRIPTOR_NAMES ? file_of[operation.descriptor] : NOBODY);
		done_or_error(descriptor);
		break;
	}
	case READ: case WRITE:
		perform_transfer(self);
		break;
	case FTRUNCATE:
		done_or_error(CALL2(FTRUNCATE, descriptor_of(self), operation.length));
		break;
	case TRUNCATE:
		done_or_error(CALL2(TRUNCATE, operation.path, operation.length));
		break;
	case UNLINK:
		done_or_error(CALL3(UNLINKAT, AT_FDCWD, operation.path, 0));
		break;
	case FORK: case VFORK: case CLONE:
		if (!perform_birth(place))
			return 0;
		break;
	case ATTACH:
		perform_attach(place);
		break;
	case DETACH:
		perform_detach(place);
		break;
	case PEEK: case POKE:
		perform_peek(place);
		break;
	case SHMGET:
		perform_shmget();
		break;
	case SHMAT:
		address_or_error(CALL3(SHMAT, segment_of[operation.segment], 0, flags));
		break;
	case SHMDT:
		done_or_error(CALL1(SHMDT, operation.address));
		break;
	case SHMCTL:
		perform_shmctl();
		break;
	case FUTEX_WAIT_CALL: case FUTEX_WAKE_CALL:
		perform_futex();
		break;
	case MAPS:
		perform_maps(place);
		break;
	case MPROTECT:
		done_or_error(CALL3(MPROTECT, operation.address, operation.length, PROT_READ));
		break;
	case MSYNC:
		done_or_error(CALL3(MSYNC, operation.address, operation.length, 4));
		break;
	case MLOCK:
		done_or_error(CALL2(MLOCK, operation.address, operation.length));
		break;
	case MADVISE:
		done_or_error(CALL3(MADVISE, operation.address, operation.length, 4));
		break;
	case MINCORE:
		done_or_error(CALL3(MINCORE, operation.address, operation.length, transfer));
		break;
	case SYSCTL:
		set_trim();
		break;
	case DRIVER:
		if (operation.is_flash)
			say("= unsupported\n");
		else
			done_or_error(CALL3(IOCTL, witness, WITNESS_SCRIPT, &operation.script));
		break;
	case EXEC:
		perform_exec();
		break;
	case EXIT:
		if (self->tracer != NOBODY && process[self->tracer].suspended) {
			say("= unsupported\n");
			break;
		}
		leave(place);
		break;
	case SHOW:
		perform_show();
		break;
	}
	if (operation.sort != SHOW)
		observe(place, file_change());
	say(".\n");
	return 1;
}
