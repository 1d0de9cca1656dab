// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The processes of a trace are processes of the machine. One of them at a time has the turn: it reads lines,
 * performs what is its own, and wakes another for what is another's. So a run of operations by one process
 * costs no switch.
 *
 * The first process of the machine is none of a trace's. It has the turn when nobody else can: at the start,
 * between traces, and when a process ended.
 *
 * A process with an address space of its own and nothing in it is made by clone without CLONE_VM. These kernels
 * accept that, and give the child an empty list of mappings; its code and its stack are reached all the same,
 * because nothing protects memory.
 */
#include "channel.h"
#include "world.h"

struct process process[PROCESSES];
static char stack[PROCESSES][STACK_BYTES] __attribute__((aligned(16)));
static int wake_file[PROCESSES];
static u8 born_by_vfork[PROCESSES];

/*
 * A tracer takes notice of the end of what it traces, before the first process can: by the place of the tracer, what
 * ended. It is taken from here before it is waited for: the first process goes on as soon as that is over, which may be
 * before the tracer does.
 */
static int to_reap[PROCESSES];

static struct { u64 trim, processes; u8 asked; } wanted;

static void wake(short place)
{
	u64 one = 1;

	CALL3(WRITE, wake_file[place], &one, sizeof(one));
}

static void wait_for_turn(short place)
{
	u64 count;

	while (CALL3(READ, wake_file[place], &count, sizeof(count)) != sizeof(count))
		;
}

static u64 value_of(const char *line, const char *key)
{
	u64 length = length_of(key), number = 0;

	for (; *line; line++) {
		if (memcmp(line, key, length))
			continue;
		for (line += length; *line >= '0' && *line <= '9'; line++)
			number = number * 10 + (*line - '0');
		return number;
	}
	return 0;
}

/* Lines that are about the whole machine. */
static int is_about_all(const char *line)
{
	if (!memcmp(line, "nommu-protocol ", 15)) {
		say("nommu-protocol 1 linux mappings|regions|copied|files|file-pages|segments|drivers|contents|records\n");
		return 1;
	}
	if (!memcmp(line, "end", 4)) {
		flush();
		CALL4(REBOOT, 0xfee1dead, 672274793, 0x4321fedc, 0);
		return 1;
	}
	if (!memcmp(line, "reset ", 6)) {
		wanted.trim = value_of(line, " trim=");
		wanted.processes = value_of(line, " processes=");
		wanted.asked = 1;
		return 1;
	}
	return 0;
}

static void kill_all_but(short self)
{
	short place;

	for (place = 0; place < PROCESSES; place++)
		if (place != self && process[place].pid)
			CALL2(KILL, process[place].pid, SIGKILL);
}

/* Has the turn until the next operation is another's. */
static void go_on(short self)
{
	for (;;) {
		char *line = next_line();
		short performer;

		if (is_about_all(line)) {
			if (!wanted.asked)
				continue;
			if (self != NOBODY) {
				/* While its tracer lives, the first process is not told of its end. */
				kill_all_but(self);
				CALL1(EXIT, 0);
			}
			return;
		}
		if (!read_operation(line, &performer))
			continue;
		if (performer != NOBODY && performer != self) {
			wake(performer);
			return;
		}
		if (!perform(self))
			return;
	}
}

static void begin(long number)
{
	short self = number;

	process[self].pid = CALL1(GETPID, 0);
	if (born_by_vfork[self]) {
		say("= done\n");
		observe(self, FILES_STAY);
		say(".\n");
		go_on(self);
	}
	for (;;) {
		int ended, status;

		wait_for_turn(self);
		ended = to_reap[self];
		if (ended) {
			to_reap[self] = 0;
			CALL4(WAIT4, ended, &status, WALL, 0);
			continue;
		}
		if (perform(self))
			go_on(self);
	}
}

long start_process(short parent, u32 name, u64 flags)
{
	struct process *child;
	short place, each;
	u64 one = 1;
	long pid;

	for (place = 0; place < PROCESSES; place++)
		if (!process[place].pid)
			break;
	if (place == PROCESSES)
		return -EAGAIN;
	child = &process[place];
	child->name = name;
	child->alive = 1;
	child->exiting = child->suspended = 0;
	child->waiter = child->tracer = NOBODY;
	child->generation++;
	child->shown = 0;
	child->mappings = 0;
	if (parent == NOBODY) {
		memset(child->descriptor, 0xff, sizeof(child->descriptor));
		for (each = 0; each < PROCESSES; each++)
			child->maps[each].descriptor = -1;
	} else {
		memcpy(child->descriptor, process[parent].descriptor, sizeof(child->descriptor));
		memcpy(child->maps, process[parent].maps, sizeof(child->maps));
	}
	place_of[name] = place;
	born_by_vfork[place] = !!(flags & CLONE_VFORK);
	if (born_by_vfork[place]) {
		child->waiter = parent;
		process[parent].suspended = 1;
	}
	/* Forget a turn that an earlier process of this place did not take. */
	wake(place);
	CALL3(READ, wake_file[place], &one, sizeof(one));
	if (parent != NOBODY)
		flags |= CLONE_PARENT;
	pid = clone_onto(flags | SIGCHLD, stack[place] + STACK_BYTES, begin, place);
	if (flags & CLONE_VFORK && pid >= 0)
		return pid;
	if (pid < 0) {
		child->alive = 0;
		if (parent != NOBODY)
			process[parent].suspended = 0;
		return pid;
	}
	child->pid = pid;
	return pid;
}

void leave(short self)
{
	process[self].exiting = 1;
	if (process[self].tracer != NOBODY) {
		to_reap[process[self].tracer] = process[self].pid;
		wake(process[self].tracer);
	}
	CALL1(EXIT, 0);
}

static void help(long unused)
{
	(void)unused;
	access_memory();
	CALL1(EXIT, 0);
}

int access_as(short self)
{
	static char stack_of_help[STACK_BYTES] __attribute__((aligned(16)));
	int status = 0;
	long pid;

	if (process[self].tracer == NOBODY) {
		access_memory();
		return 0;
	}
	/*
	 * Who is traced stops at a fault until its tracer lets it go on, and the tracer waits for its turn. A helper
	 * that nobody traces shares the memory, and ends.
	 */
	pid = clone_onto(CLONE_VM | CLONE_VFORK | SIGCHLD, stack_of_help + STACK_BYTES, help, 0);
	CALL4(WAIT4, pid, &status, WALL, 0);
	return status & 0x7f;
}

void say_ended(short place, int signal)
{
	say("= crash p");
	say_decimal(process[place].name);
	say(" was ended by signal ");
	say_decimal(signal);
	say_character('\n');
}

static short place_by_pid(int pid)
{
	short place;

	for (place = 0; place < PROCESSES; place++)
		if (process[place].pid == pid)
			return place;
	return NOBODY;
}

static void bury(short place)
{
	short each;

	process[place].pid = 0;
	process[place].alive = 0;
	/* The next process has this place, and another name. */
	place_of[process[place].name] = NOBODY;
	if (process[place].waiter != NOBODY)
		process[process[place].waiter].suspended = 0;
	for (each = 0; each < PROCESSES; each++)
		if (process[each].tracer == place)
			process[each].tracer = NOBODY;
	say("gone p");
	say_decimal(process[place].name);
	say_character('\n');
}

/* What an ended process leaves open: the first process answers for it. */
static void answer_for(short place, int status)
{
	if (process[place].exiting)
		say("= done\n");
	else
		say_ended(place, status & 0x7f);
	bury(place);
	observe(NOBODY, PAGES_CHANGE);
	say(".\n");
}

static void end_all(void)
{
	short place;
	int status;

	kill_all_but(NOBODY);
	while (CALL4(WAIT4, -1, &status, WALL, 0) > 0)
		;
	for (place = 0; place < PROCESSES; place++) {
		process[place].pid = 0;
		process[place].alive = 0;
		to_reap[place] = 0;
	}
}

static void say_leak(const char *what, u64 found, u64 expected)
{
	if (found == expected)
		return;
	say("leak ");
	say(what);
	say(": found ");
	say_decimal(found);
	say(", expected ");
	say_decimal(expected);
	say_character('\n');
}

static void reset(void)
{
	u64 number;

	end_all();
	renew(wanted.trim, !is_used);
	is_used = 0;
	wanted.asked = 0;
	memset(place_of, 0xff, sizeof(place_of));
	memset(segment_of, 0xff, sizeof(segment_of));
	memset(address_of, 0, sizeof(address_of));
	if (wanted.processes > PROCESSES - 4) {
		say("! found `processes=");
		say_decimal(wanted.processes);
		say("`, expected at most ");
		say_decimal(PROCESSES - 4);
		say_character('\n');
		return;
	}
	say("= ready\n");
	say_leak("regions", state.regions, base_regions);
	say_leak("copied pages", state.copied_pages, base_copied_pages);
	for (number = 0; number < wanted.processes; number++)
		start_process(NOBODY, number, 0);
	forget_what_was_shown();
	observe(NOBODY, PAGES_CHANGE);
	say(".\n");
}

void main_program(void)
{
	/*
	 * Who is traced stops for every signal that is not blocked, until its tracer lets it go on: a tracer that is
	 * traced itself would wait for ever when it is told of a child.
	 */
	u64 blocked = 1ul << (SIGCHLD - 1);
	short place;

	CALL4(RT_SIGPROCMASK, 0, &blocked, NULL, sizeof(blocked));
	set_up();
	for (place = 0; place < PROCESSES; place++)
		wake_file[place] = CALL2(EVENTFD2, 0, 0);
	for (;;) {
		int status;
		long pid;

		go_on(NOBODY);
		if (wanted.asked) {
			reset();
			continue;
		}
		/* Somebody else has the turn until one of them ends. */
		pid = CALL4(WAIT4, -1, &status, WALL, 0);
		place = pid < 0 ? NOBODY : place_by_pid(pid);
		if (wanted.asked)
			reset();
		else if (place != NOBODY)
			answer_for(place, status);
	}
}
