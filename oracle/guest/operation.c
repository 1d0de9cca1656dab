// SPDX-License-Identifier: MIT OR Apache-2.0
/* Reads one operation of a trace in its canonical form, and performs it with real system calls. */
#include "channel.h"
#include "world.h"

u64 address_of[NAMES];
int segment_of[NAMES];
short place_of[NAMES];
short file_of[DESCRIPTOR_NAMES];
u8 is_used = 1;

enum sort {
	MMAP, MUNMAP, MREMAP, LOAD, STORE, OPEN, PIPE, SOCKET, CLOSE, DUP, READ, WRITE, FTRUNCATE, TRUNCATE, UNLINK,
	FORK, VFORK, CLONE, EXEC, EXIT, ATTACH, DETACH, PEEK, POKE, SHMGET, SHMAT, SHMDT, SHMCTL, FUTEX_WAIT_CALL,
	FUTEX_WAKE_CALL, MAPS, MPROTECT, MSYNC, MLOCK, MADVISE, MINCORE, SYSCTL, DRIVER, SHOW,
};

/* In the order of their sorts, from MMAP to MINCORE. */
static const char calls[][16] = {
	"mmap", "munmap", "mremap", "load", "store", "open", "pipe", "socket", "close", "dup", "read", "write",
	"ftruncate", "truncate", "unlink", "fork", "vfork", "clone", "exec", "exit", "ptrace_attach",
	"ptrace_detach", "ptrace_peek", "ptrace_poke", "shmget", "shmat", "shmdt", "shmctl", "futex_wait",
	"futex_wake", "maps", "mprotect", "msync", "mlock", "madvise", "mincore",
};

static struct operation {
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

#define NOWHERE 0xfe000000000000ul

static char *at;
static const char *problem;
static u8 transfer[TRANSFER_LIMIT];

static int is_next(const char *word)
{
	u64 length = length_of(word);

	while (*at == ' ')
		at++;
	if (memcmp(at, word, length))
		return 0;
	at += length;
	return 1;
}

static void expect(const char *word)
{
	if (!problem && !is_next(word))
		problem = word;
}

static u64 read_number(void)
{
	u64 number = 0;
	int digits = 0;

	while (*at == ' ')
		at++;
	if (at[0] == '0' && at[1] == 'x') {
		at += 2;
		for (;; at++, digits++) {
			if (*at >= '0' && *at <= '9')
				number = number << 4 | (*at - '0');
			else if (*at >= 'a' && *at <= 'f')
				number = number << 4 | (*at - 'a' + 10);
			else
				break;
		}
	} else {
		for (; *at >= '0' && *at <= '9'; at++, digits++)
			number = number * 10 + (*at - '0');
	}
	if (!digits && !problem)
		problem = "a number";
	return number;
}

static u32 read_name(char letter, u32 limit)
{
	u64 number;

	while (*at == ' ')
		at++;
	if (*at != letter) {
		if (!problem)
			problem = "a name";
		return 0;
	}
	at++;
	number = read_number();
	if (number >= limit && !problem)
		problem = "a smaller name";
	return problem ? 0 : number;
}

static u64 read_address(void)
{
	while (*at == ' ')
		at++;
	if (*at == 'm') {
		u64 address = address_of[read_name('m', NAMES)];

		if (is_next("+"))
			return address + read_number();
		if (is_next("-"))
			return address - read_number();
		return address;
	}
	return read_number();
}

static u8 hexadecimal(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

static void read_fill(void)
{
	expect("\"");
	if (problem)
		return;
	if (*at == '\\') {
		at++;
		if (*at == 'x') {
			operation.byte = hexadecimal(at[1]) << 4 | hexadecimal(at[2]);
			at += 2;
		} else {
			operation.byte = *at;
		}
	} else {
		operation.byte = *at;
	}
	at++;
	expect("\"");
	expect("*");
	operation.length = read_number();
}

static void read_path(void)
{
	u32 length = 0;

	expect("\"");
	while (*at && *at != '"' && length < PATH_LIMIT - 1)
		operation.path[length++] = *at++;
	operation.path[length] = 0;
	expect("\"");
}

static void read_mmap(void)
{
	if (is_next("addr=")) {
		operation.has_address = 1;
		operation.address = read_address();
		expect(",");
	}
	expect("len=");
	operation.length = read_number();
	expect(",");
	expect("prot=");
	if (!is_next("none")) {
		for (;; at++) {
			if (*at == 'r')
				operation.protection |= PROT_READ;
			else if (*at == 'w')
				operation.protection |= PROT_WRITE;
			else if (*at == 'x')
				operation.protection |= PROT_EXEC;
			else
				break;
		}
	}
	expect(",");
	expect("flags=");
	if (!is_next("none")) {
		do {
			if (is_next("shared"))
				operation.flags |= MAP_SHARED;
			else if (is_next("private"))
				operation.flags |= MAP_PRIVATE;
			else if (is_next("fixed"))
				operation.flags |= MAP_FIXED;
			else
				expect("uninitialized"), operation.flags |= MAP_UNINITIALIZED;
		} while (is_next("|"));
	}
	if (is_next(", fd=")) {
		operation.has_descriptor = 1;
		operation.descriptor = read_name('f', NAMES);
	}
	if (is_next(", off="))
		operation.offset = read_number();
}

static void read_open(void)
{
	int readable = 0, writable = 0;

	read_path();
	expect(",");
	do {
		if (is_next("create"))
			operation.flags |= O_CREAT;
		else if (is_next("truncate"))
			operation.flags |= O_TRUNC;
		else if (is_next("rw"))
			readable = writable = 1;
		else if (is_next("r"))
			readable = 1;
		else
			expect("w"), writable = 1;
	} while (is_next("|"));
	operation.flags |= writable ? (readable ? O_RDWR : O_WRONLY) : O_RDONLY;
}

/* What is between the parentheses. */
static void read_arguments(void)
{
	switch (operation.sort) {
	case MMAP:
		read_mmap();
		break;
	case MREMAP:
		operation.address = read_address();
		expect(",");
		operation.length = read_number();
		expect(",");
		operation.new_length = read_number();
		if (is_next(", to=")) {
			operation.to = read_address();
			break;
		}
		if (!is_next(","))
			break;
		do {
			if (is_next("maymove"))
				operation.flags |= MREMAP_MAYMOVE;
			else
				expect("fixed"), operation.flags |= MREMAP_FIXED;
		} while (is_next("|"));
		if (is_next(", to="))
			operation.to = read_address();
		break;
	case MUNMAP: case LOAD: case MPROTECT: case MSYNC: case MLOCK: case MADVISE: case MINCORE:
		operation.address = read_address();
		expect(",");
		operation.length = read_number();
		break;
	case STORE:
		operation.address = read_address();
		expect(",");
		read_fill();
		break;
	case OPEN:
		read_open();
		break;
	case CLOSE: case DUP:
		operation.descriptor = read_name('f', NAMES);
		break;
	case READ:
		operation.descriptor = read_name('f', NAMES);
		expect(", off=");
		operation.offset = read_number();
		expect(", len=");
		operation.length = read_number();
		break;
	case WRITE:
		operation.descriptor = read_name('f', NAMES);
		expect(", off=");
		operation.offset = read_number();
		expect(",");
		read_fill();
		break;
	case FTRUNCATE:
		operation.descriptor = read_name('f', NAMES);
		expect(",");
		operation.length = read_number();
		break;
	case TRUNCATE:
		read_path();
		expect(",");
		operation.length = read_number();
		break;
	case UNLINK:
		read_path();
		break;
	case EXEC:
		read_path();
		if (is_next(", stack="))
			operation.length = read_number();
		break;
	case ATTACH: case DETACH:
		operation.other = read_name('p', NAMES);
		break;
	case PEEK: case POKE:
		operation.other = read_name('p', NAMES);
		expect(",");
		operation.address = read_address();
		expect(",");
		if (operation.sort == POKE)
			read_fill();
		else
			operation.length = read_number();
		break;
	case SHMGET:
		expect("key=");
		operation.offset = is_next("private") ? 0 : read_number();
		expect(", size=");
		operation.length = read_number();
		if (is_next(","))
			do {
				if (is_next("create"))
					operation.flags |= IPC_CREAT;
				else
					expect("exclusive"), operation.flags |= IPC_EXCL;
			} while (is_next("|"));
		break;
	case SHMAT:
		operation.segment = read_name('s', NAMES);
		if (is_next(", readonly"))
			operation.flags |= SHM_RDONLY;
		break;
	case SHMDT:
		operation.address = read_address();
		break;
	case SHMCTL:
		operation.segment = read_name('s', NAMES);
		expect(",");
		if (is_next("remove"))
			operation.flags = IPC_RMID;
		else
			expect("stat"), operation.flags = IPC_STAT;
		break;
	case FUTEX_WAIT_CALL: case FUTEX_WAKE_CALL:
		operation.address = read_address();
		expect(",");
		operation.length = read_number();
		break;
	case MAPS:
		while (*at == ' ')
			at++;
		if (*at == 'p') {
			operation.has_other = 1;
			operation.other = read_name('p', NAMES);
			is_next(",");
		}
		if (is_next("chunk="))
			operation.length = read_number();
		break;
	default:
		break;
	}
}

static int read_answer(void)
{
	static const char names[][12] = { "eperm", "enoent", "esrch", "eintr", "eio", "enxio", "e2big", "enoexec",
		"ebadf", "echild", "eagain", "enomem", "eacces", "efault", "ebusy", "eexist", "enodev", "enotdir",
		"eisdir", "einval", "enfile", "emfile", "enotty", "etxtbsy", "efbig", "enospc", "espipe", "erofs",
		"epipe", "erange", "enosys", "eoverflow", "eopnotsupp", "etimedout", "eidrm", "euclean" };
	static const u8 numbers[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24,
		25, 26, 27, 28, 29, 30, 32, 34, 38, 75, 95, 110, 43, 117 };
	u32 number;

	if (is_next("ok"))
		return 0;
	if (is_next("absent"))
		return WITNESS_ABSENT;
	for (number = 0; number < sizeof(numbers); number++) {
		u64 length = length_of(names[number]);

		if (!memcmp(at, names[number], length) && (at[length] == ' ' || !at[length])) {
			at += length;
			return -numbers[number];
		}
	}
	if (!problem)
		problem = "an error's name";
	return 0;
}

static int read_yes(void)
{
	if (is_next("yes"))
		return 1;
	expect("no");
	return 0;
}

static int read_capabilities(void)
{
	int bits = 0;

	if (is_next("default"))
		return -1;
	if (is_next("none"))
		return 0;
	do {
		/* As NOMMU_MAP_ in include/linux/fs.h numbers them: those of protection are VM_MAY bits. */
		if (is_next("copy"))
			bits |= 1;
		else if (is_next("direct"))
			bits |= 8;
		else if (is_next("read"))
			bits |= 0x10;
		else if (is_next("write"))
			bits |= 0x20;
		else
			expect("exec"), bits |= 0x40;
	} while (is_next("|"));
	return bits;
}

static void read_driver(void)
{
	struct witness_script *script = &operation.script;

	operation.sort = DRIVER;
	script->capabilities = script->area = script->mmap = script->readable = script->busy = WITNESS_KEEP;
	read_path();
	operation.is_flash = same_text(operation.path, "/dev/mtd0");
	script->device = same_text(operation.path, "/dev/chr1");
	while (!problem && *at) {
		if (is_next("capabilities="))
			script->capabilities = read_capabilities();
		else if (is_next("area="))
			script->area = read_answer();
		else if (is_next("mmap="))
			script->mmap = read_answer();
		else if (is_next("read="))
			script->readable = read_yes();
		else
			expect("busy="), script->busy = read_yes();
		while (*at == ' ')
			at++;
	}
}

static void read_call(void)
{
	u32 sort;
	u64 length = 0;

	while (*at == ' ')
		at++;
	while ((at[length] >= 'a' && at[length] <= 'z') || at[length] == '_')
		length++;
	for (sort = 0; sort <= MINCORE; sort++) {
		if (length_of(calls[sort]) == length && !memcmp(calls[sort], at, length)) {
			at += length;
			operation.sort = sort;
			expect("(");
			read_arguments();
			expect(")");
			return;
		}
	}
	if (!problem)
		problem = "a call";
}

/* `p1  = vfork(p0)`: the caller stands in the parentheses. */
static u32 read_birth(void)
{
	u32 caller;

	if (is_next("fork("))
		operation.sort = FORK;
	else if (is_next("vfork("))
		operation.sort = VFORK;
	else
		expect("clone("), operation.sort = CLONE;
	caller = read_name('p', NAMES);
	if (operation.sort == CLONE && is_next(", vm"))
		operation.flags = CLONE_VM;
	expect(")");
	return caller;
}

static void malformed(const char *line)
{
	say("! found `");
	say(line);
	say("`, expected `");
	say(problem);
	say("`\n");
}

int read_operation(char *line, short *performer)
{
	u32 caller;

	at = line;
	problem = NULL;
	memset(&operation, 0, sizeof(operation));
	*performer = NOBODY;
	if (is_next("sysctl vm.nr_trim_pages=")) {
		operation.sort = SYSCTL;
		operation.length = read_number();
	} else if (is_next("driver ")) {
		read_driver();
	} else if (is_next("show file ")) {
		operation.sort = SHOW;
		operation.is_file = 1;
		operation.descriptor = read_number();
		operation.offset = read_number();
		operation.length = read_number();
	} else if (is_next("show memory ")) {
		operation.sort = SHOW;
		operation.address = read_number();
		operation.length = read_number();
	} else {
		caller = read_name('p', NAMES);
		while (*at == ' ')
			at++;
		if (is_next("= ")) {
			operation.child = caller;
			caller = read_birth();
		} else if (*at == 'm' && at[1] >= '0' && at[1] <= '9') {
			operation.result = read_name('m', NAMES);
			expect("=");
			read_call();
		} else if (*at == 's' && at[1] >= '0' && at[1] <= '9') {
			operation.result = read_name('s', NAMES);
			expect("=");
			read_call();
		} else if (*at == 'f' && at[1] >= '0' && at[1] <= '9') {
			operation.result = read_name('f', DESCRIPTOR_NAMES);
			while (*at == ' ')
				at++;
			if (*at == 'f')
				operation.other_result = read_name('f', DESCRIPTOR_NAMES);
			expect("=");
			read_call();
		} else {
			read_call();
		}
		if (!problem) {
			*performer = place_of[caller];
			if (*performer == NOBODY || !process[*performer].alive || process[*performer].suspended)
				problem = "a process that lives and does not wait";
		}
	}
	if (!problem)
		return 1;
	malformed(line);
	return 0;
}

static void say_error(long error)
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

static short other_place(void)
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
			/* One that cannot be attached gets a place of its own where there is no memory. */
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

static void perform_system_maps(void)
{
	static struct mapping found[WITNESS_REGIONS];
	static char listing[TEXT_LIMIT];
	long descriptor = CALL4(OPENAT, AT_FDCWD, "/proc/maps", O_RDONLY, 0);
	u64 chunk = operation.length, length = 0, known;
	u32 count, number, shown = 0;
	u8 keep[WITNESS_REGIONS];

	while (descriptor >= 0 && length < sizeof(listing)) {
		u64 want = sizeof(listing) - length;
		long read = CALL3(READ, descriptor, listing + length, chunk && chunk < want ? chunk : want);

		if (read <= 0)
			break;
		length += read;
	}
	CALL1(CLOSE, descriptor);
	count = parse_mappings(listing, length, found, WITNESS_REGIONS);
	read_state();
	for (number = 0; number < count; number++) {
		keep[number] = 1;
		for (known = 0; known < state.regions && known < WITNESS_REGIONS; known++)
			if (state.region[known].start == found[number].start &&
			    state.region[known].end == found[number].end && is_base_region(&state.region[known]))
				keep[number] = 0;
		shown += keep[number];
	}
	say("= regions ");
	say_decimal(shown);
	say_character('\n');
	for (number = 0; number < count; number++) {
		struct witness_region region;

		if (!keep[number])
			continue;
		memset(&region, 0, sizeof(region));
		region.start = found[number].start;
		region.end = region.top = found[number].end;
		region.readable = found[number].protection & 1;
		region.writable = found[number].protection >> 1 & 1;
		region.executable = found[number].protection >> 2 & 1;
		region.has_file = found[number].is_object;
		region.copy = !found[number].is_object;
		region.major = found[number].device_major;
		region.minor = found[number].device_minor;
		region.inode = found[number].inode;
		region.offset = found[number].offset;
		/* A listing tells neither what is kept beyond the end nor how many use it; the records do. */
		for (known = 0; known < state.regions && known < WITNESS_REGIONS; known++) {
			if (state.region[known].start == region.start && state.region[known].end == region.end &&
			    state.region[known].inode == region.inode) {
				region.top = state.region[known].top;
				region.users = state.region[known].users;
				region.copy = state.region[known].copy;
			}
		}
		say_region(&region);
	}
}

static void perform_maps(short self)
{
	static char listing[TEXT_LIMIT];
	static struct mapping found[MAPPINGS];
	u32 count, number;
	short other;

	if (!operation.has_other) {
		perform_system_maps();
		return;
	}
	other = other_place();
	if (other == NOBODY) {
		say_error(-ENOENT);
		return;
	}
	count = parse_mappings(listing, read_maps(self, other, operation.length, listing, sizeof(listing)), found,
			       MAPPINGS);
	say("= mappings ");
	say_decimal(count);
	say_character('\n');
	for (number = 0; number < count; number++)
		say_mapping(&found[number]);
}

/* A memory-backed file is not read: that would fill its holes. */
static void show_pages(u32 number, u64 offset, u64 length)
{
	u32 count = look_at_pages(NOBODY, number);
	u64 done = 0;

	memset(transfer, 0, length);
	while (done < length && offset + done < file[number].size) {
		u64 page = (offset + done) / PAGE, within = (offset + done) % PAGE, some = PAGE - within;

		if (some > length - done)
			some = length - done;
		if (some > file[number].size - offset - done)
			some = file[number].size - offset - done;
		if (page < count && pages.address[page])
			memcpy(transfer + done, (const u8 *)pages.address[page] + within, some);
		done += some;
	}
}

/* The host reads this machine's memory: it is told where. */
static void say_place(const void *place)
{
	say("= at ");
	say_hexadecimal((u64)place);
	say_character('\n');
}

static void perform_show(void)
{
	long descriptor, count;

	if (operation.length > TRANSFER_LIMIT) {
		say("= unsupported\n");
		return;
	}
	if (!operation.is_file) {
		say_place((const void *)operation.address);
		return;
	}
	if (operation.descriptor >= files || !file[operation.descriptor].named) {
		say("= unsupported\n");
		return;
	}
	if (file[operation.descriptor].is_memory_backed) {
		show_pages(operation.descriptor, operation.offset, operation.length);
		say_place(transfer);
		return;
	}
	descriptor = CALL4(OPENAT, AT_FDCWD, file[operation.descriptor].path, O_RDONLY | O_NONBLOCK, 0);
	count = CALL4(PREAD64, descriptor, transfer, operation.length, operation.offset);
	CALL1(CLOSE, descriptor);
	if (count < 0) {
		say("= unsupported\n");
		return;
	}
	memset(transfer + count, 0, operation.length - count);
	say_place(transfer);
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
