// SPDX-License-Identifier: MIT OR Apache-2.0
/* Reads one operation of a trace in its canonical form. */
#include "channel.h"
#include "operation.h"

struct operation operation;

/* In the order of their sorts, from MMAP to MINCORE. */
static const char calls[][16] = {
	"mmap", "munmap", "mremap", "load", "store", "open", "pipe", "socket", "close", "dup", "read", "write",
	"ftruncate", "truncate", "unlink", "fork", "vfork", "clone", "exec", "exit", "ptrace_attach",
	"ptrace_detach", "ptrace_peek", "ptrace_poke", "shmget", "shmat", "shmdt", "shmctl", "futex_wait",
	"futex_wake", "maps", "mprotect", "msync", "mlock", "madvise", "mincore",
};

static char *at;
static const char *problem;

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
