// SPDX-License-Identifier: MIT OR Apache-2.0
/* What is to be seen between two operations. A part that is as it was shown last is not shown again. */
#include "channel.h"
#include "world.h"

struct witness_state state;
struct segment segment[SEGMENTS];
u32 segments;

static struct witness_region base[8];
static struct witness_state shown_state;
static struct shown_segment { u64 size, attached; u8 removed, alive; } shown_segment[SEGMENTS];
static u32 shown_segments;
static u8 everything_is_new = 1;
struct witness_pages pages;
static char text[TEXT_LIMIT];

void forget_what_was_shown(void)
{
	everything_is_new = 1;
}

void read_state(void)
{
	CALL3(IOCTL, witness, WITNESS_STATE, &state);
	if (!base_regions && state.regions <= 8)
		memcpy(base, state.region, state.regions * sizeof(*base));
}

/* Reads a whole listing, `chunk` bytes at a time if that is not 0. */
static u64 read_listing(int descriptor, u64 chunk, char *to, u64 limit)
{
	u64 length = 0;

	for (;;) {
		u64 want = limit - length;
		long count;

		if (chunk && chunk < want)
			want = chunk;
		if (!want)
			break;
		count = CALL4(PREAD64, descriptor, to + length, want, length);
		if (count <= 0)
			break;
		length += count;
		/* A listing that ended well below what the kernel gathers at a time has no more. */
		if (!chunk && length < 3072)
			break;
	}
	return length;
}

static void maps_path(int pid, char *path)
{
	char digits[12];
	int count = 0, at = 6;

	memcpy(path, "/proc/", 6);
	do
		digits[count++] = '0' + pid % 10;
	while (pid /= 10);
	while (count)
		path[at++] = digits[--count];
	memcpy(path + at, "/maps", 6);
}

void close_maps(short observer, short observed)
{
	struct process *self = &process[observer];

	if (self->maps[observed].descriptor >= 0)
		CALL1(CLOSE, self->maps[observed].descriptor);
	self->maps[observed].descriptor = -1;
}

u64 read_maps(short observer, short observed, u64 chunk, char *to, u64 limit)
{
	struct process *other = &process[observed];
	char path[32];
	long descriptor;
	u64 length;

	maps_path(other->pid, path);
	if (observer == NOBODY) {
		descriptor = CALL4(OPENAT, AT_FDCWD, path, O_RDONLY, 0);
		length = read_listing(descriptor, chunk, to, limit);
		CALL1(CLOSE, descriptor);
		return length;
	}
	if (process[observer].maps[observed].generation != other->generation)
		close_maps(observer, observed);
	if (process[observer].maps[observed].descriptor < 0) {
		process[observer].maps[observed].descriptor = CALL4(OPENAT, AT_FDCWD, path, O_RDONLY, 0);
		process[observer].maps[observed].generation = other->generation;
	}
	return read_listing(process[observer].maps[observed].descriptor, chunk, to, limit);
}

static const char *number_in(const char *from, const char *end, int base_of_number, u64 *number)
{
	*number = 0;
	for (; from < end; from++) {
		char c = *from;
		int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

		if (value >= base_of_number)
			break;
		*number = *number * base_of_number + value;
	}
	return from;
}

static int find(const char *from, const char *end, const char *word)
{
	u64 length = length_of(word);

	for (; from + length <= end; from++)
		if (!memcmp(from, word, length))
			return 1;
	return 0;
}

u32 parse_mappings(const char *from, u64 length, struct mapping *mapping, u32 limit)
{
	const char *end = from + length;
	u32 count = 0;

	while (from < end) {
		const char *line_end = from;
		struct mapping found;

		while (line_end < end && *line_end != '\n')
			line_end++;
		memset(&found, 0, sizeof(found));
		from = number_in(from, line_end, 16, &found.start) + 1;
		from = number_in(from, line_end, 16, &found.end) + 1;
		if (from + 4 < line_end) {
			found.protection = (from[0] == 'r') | (from[1] == 'w') << 1 | (from[2] == 'x') << 2;
			/* A small letter only says that others may be shown the memory too. */
			found.shared = from[3] == 'S';
			from += 5;
		}
		from = number_in(from, line_end, 16, &found.offset) + 1;
		from = number_in(from, line_end, 16, &found.device_major) + 1;
		from = number_in(from, line_end, 16, &found.device_minor) + 1;
		from = number_in(from, line_end, 10, &found.inode);
		found.is_object = found.inode || found.device_major || found.device_minor;
		found.is_segment = found.is_object && find(from, line_end, "/SYSV");
		if (!found.is_object)
			found.offset = 0;
		if (count < limit)
			mapping[count++] = found;
		from = line_end + 1;
	}
	return count;
}

static u64 device_number(u64 major, u64 minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xfful) << 12;
}

static void say_segment_or_file(int is_segment, u64 major, u64 minor, u64 inode)
{
	u32 number;

	if (!is_segment) {
		number = file_number(device_number(major, minor), inode);
		if (number < files) {
			say("file");
			say_decimal(number);
			return;
		}
	}
	for (number = segments; number--;) {
		if ((u64)segment[number].id == inode) {
			say("segment");
			say_decimal(number);
			return;
		}
	}
	say("file65535");
}

static void say_letters(u8 protection)
{
	say_character(protection & PROT_READ ? 'r' : '-');
	say_character(protection & PROT_WRITE ? 'w' : '-');
	say_character(protection & PROT_EXEC ? 'x' : '-');
}

void say_mapping(const struct mapping *mapping)
{
	say("- ");
	say_hexadecimal(mapping->start);
	say_character(' ');
	say_hexadecimal(mapping->end);
	say_character(' ');
	say_letters(mapping->protection);
	say_character(mapping->shared ? 's' : 'p');
	say_character(' ');
	if (mapping->is_object)
		say_segment_or_file(mapping->is_segment, mapping->device_major, mapping->device_minor,
				    mapping->inode);
	else
		say("anonymous");
	say_character(' ');
	say_hexadecimal(mapping->offset);
	say_character('\n');
}

/* The device that segments live on: it is none of a file's. */
static int is_segment_region(const struct witness_region *region)
{
	return file_number(device_number(region->major, region->minor), region->inode) >= files;
}

void say_region(const struct witness_region *region)
{
	say("- ");
	say_hexadecimal(region->start);
	say_character(' ');
	say_hexadecimal(region->end);
	say_character(' ');
	say_hexadecimal(region->top);
	say_character(' ');
	say_letters(region->readable | region->writable << 1 | region->executable << 2);
	say(region->copy ? " copy " : " direct ");
	if (region->has_file)
		say_segment_or_file(is_segment_region(region), region->major, region->minor, region->inode);
	else
		say("anonymous");
	say_character(' ');
	say_hexadecimal(region->has_file ? region->offset : 0);
	say_character(' ');
	say_decimal(region->users);
	say_character('\n');
}

int is_base_region(const struct witness_region *region)
{
	u64 number;

	for (number = 0; number < base_regions; number++)
		if (base[number].start == region->start && base[number].has_file == region->has_file)
			return 1;
	return 0;
}

struct mapping *mapping_around(short owner, u64 address, u64 length)
{
	struct process *self = &process[owner];
	u32 number;

	for (number = 0; number < self->mappings; number++) {
		struct mapping *mapping = &self->mapping[number];

		if (address >= mapping->start && address < mapping->end && length <= mapping->end - address)
			return mapping;
	}
	return NULL;
}

/* Whether a mapping lies on flash or on a file in flash: memory that a program cannot write. */
int is_direct_rom(const struct mapping *mapping)
{
	u32 number;
	u64 at;

	if (!mapping->is_object || mapping->is_segment)
		return 0;
	number = file_number(device_number(mapping->device_major, mapping->device_minor), mapping->inode);
	if (number >= files || !file[number].is_rom)
		return 0;
	for (at = 0; at < state.regions && at < WITNESS_REGIONS; at++) {
		const struct witness_region *region = &state.region[at];

		if (region->start <= mapping->start && mapping->end <= region->end && region->has_file)
			return !region->copy;
	}
	return 1;
}

static void observe_mappings(short observer)
{
	static struct witness_spaces spaces;
	static short place[WITNESS_SPACES];
	u32 number;

	spaces.count = 0;
	for (number = 0; number < PROCESSES; number++) {
		if (!process[number].alive)
			continue;
		place[spaces.count] = number;
		spaces.process[spaces.count++] = process[number].pid;
	}
	CALL3(IOCTL, witness, WITNESS_SPACES_OF, &spaces);
	for (number = 0; number < spaces.count; number++) {
		struct process *other = &process[place[number]];
		/* Never 0, which no listing has. */
		u64 shown = spaces.digest[number] | 1;
		u64 length;
		u32 each;

		if (!everything_is_new && shown == other->shown)
			continue;
		length = read_maps(observer, place[number], 0, text, sizeof(text));
		other->shown = shown;
		other->mappings = parse_mappings(text, length, other->mapping, MAPPINGS);
		say("mappings p");
		say_decimal(other->name);
		say_character(' ');
		say_decimal(other->mappings);
		say_character('\n');
		for (each = 0; each < other->mappings; each++)
			say_mapping(&other->mapping[each]);
	}
}

static void observe_regions(void)
{
	u64 number, count = 0;

	if (everything_is_new || state.regions != shown_state.regions ||
	    memcmp(state.region, shown_state.region,
		   (state.regions < WITNESS_REGIONS ? state.regions : WITNESS_REGIONS) * sizeof(*state.region))) {
		for (number = 0; number < state.regions && number < WITNESS_REGIONS; number++)
			count += !is_base_region(&state.region[number]);
		say("regions ");
		say_decimal(count);
		say_character('\n');
		for (number = 0; number < state.regions && number < WITNESS_REGIONS; number++)
			if (!is_base_region(&state.region[number]))
				say_region(&state.region[number]);
	}
	if (everything_is_new || state.copied_pages != shown_state.copied_pages) {
		say("copied ");
		say_decimal(state.copied_pages - base_copied_pages);
		say_character('\n');
	}
	if (everything_is_new || memcmp(state.driver, shown_state.driver, sizeof(state.driver))) {
		say("drivers 2\n");
		for (number = 0; number < WITNESS_DRIVERS; number++) {
			say("- ");
			say_decimal(9 + number);
			say_character(' ');
			say_decimal(state.driver[number].area_calls);
			say_character(' ');
			say_decimal(state.driver[number].mmap_calls);
			say_character(' ');
			say_decimal(state.driver[number].close_calls);
			say_character('\n');
		}
	}
	memcpy(&shown_state, &state, sizeof(state) - sizeof(state.region) +
	       (state.regions < WITNESS_REGIONS ? state.regions : WITNESS_REGIONS) * sizeof(*state.region));
}

static void observe_segments(void)
{
	int changed = everything_is_new || shown_segments != segments;
	u32 number, alive = 0;

	for (number = 0; number < segments; number++) {
		struct shown_segment *shown = &shown_segment[number];
		struct segment_status status;
		struct shown_segment now = { 0, 0, 0, 0 };

		memset(&now, 0, sizeof(now));
		if (!segment[number].dead && CALL3(SHMCTL, segment[number].id, IPC_STAT, &status) >= 0) {
			now.size = status.size;
			now.attached = status.attached;
			now.removed = !!(status.mode & SHM_DEST);
			now.alive = 1;
			alive++;
		} else {
			segment[number].dead = 1;
		}
		if (memcmp(&now, shown, sizeof(now)))
			changed = 1;
		*shown = now;
	}
	shown_segments = segments;
	if (!changed)
		return;
	say("segments ");
	say_decimal(alive);
	say_character('\n');
	for (number = 0; number < segments; number++) {
		struct shown_segment *shown = &shown_segment[number];

		if (!shown->alive)
			continue;
		say("- ");
		say_decimal(number);
		say_character(' ');
		say_decimal(shown->size);
		say_character(' ');
		say_decimal(shown->attached);
		say(shown->removed ? " removed " : " kept ");
		say_hexadecimal(segment[number].start);
		say_character('\n');
	}
}

/* A descriptor of the observer's on a file; a file without a name is reached no other way. */
static int descriptor_on(short observer, u32 number)
{
	u32 name;

	if (observer != NOBODY)
		for (name = 0; name < DESCRIPTOR_NAMES; name++)
			if (file_of[name] == (short)number && process[observer].descriptor[name] >= 0)
				return process[observer].descriptor[name];
	return -1;
}

static int is_open_somewhere(u32 number)
{
	short each;

	for (each = 0; each < PROCESSES; each++)
		if (process[each].alive && descriptor_on(each, number) >= 0)
			return 1;
	return 0;
}

/* A descriptor of the observer's own on a file that only others have open. */
static int borrow_descriptor(u32 number)
{
	int other, whose, own;
	u32 each;

	for (each = 0; each < PROCESSES; each++) {
		other = process[each].alive ? descriptor_on(each, number) : -1;
		if (other < 0)
			continue;
		whose = CALL2(PIDFD_OPEN, process[each].pid, 0);
		own = whose < 0 ? -1 : CALL3(PIDFD_GETFD, whose, other, 0);
		if (whose >= 0)
			CALL1(CLOSE, whose);
		return own;
	}
	return -1;
}

static int is_mapped(u32 number)
{
	u64 at;

	for (at = 0; at < state.regions && at < WITNESS_REGIONS; at++) {
		struct witness_region *region = &state.region[at];

		if (region->has_file && region->inode == file[number].inode &&
		    device_number(region->major, region->minor) == file[number].device)
			return 1;
	}
	return 0;
}

u32 look_at_pages(short observer, u32 number)
{
	struct file *seen = &file[number];
	int own = -1, descriptor = descriptor_on(observer, number);
	long looked;

	if (descriptor < 0 && seen->named)
		descriptor = own = CALL4(OPENAT, AT_FDCWD, seen->path, O_RDONLY, 0);
	else if (descriptor < 0)
		descriptor = own = borrow_descriptor(number);
	/* Without a name and a descriptor, it is mapped. */
	pages.descriptor = descriptor;
	pages.device = seen->device;
	pages.inode = seen->inode;
	pages.count = seen->size > WITNESS_PAGES * PAGE ? WITNESS_PAGES : (seen->size + PAGE - 1) / PAGE;
	looked = CALL3(IOCTL, witness, WITNESS_PAGES_OF, &pages);
	if (own >= 0)
		CALL1(CLOSE, own);
	return looked < 0 ? 0 : pages.count;
}

static u64 mixed(u64 digest, u64 value)
{
	return (digest ^ value) * 0x100000001b3ul + (digest >> 29);
}

/* What there is to show of a file, in numbers, and how many of its pages. */
static u64 digest_of_file(short observer, u32 number, u32 *count)
{
	struct file *seen = &file[number];
	u64 digest = mixed(number + 1, seen->size);
	u32 at, told;

	*count = 0;
	if (!seen->is_memory_backed)
		return digest;
	told = look_at_pages(observer, number);
	for (at = 0; at < told; at++)
		if (pages.address[at])
			*count = at + 1;
	for (at = 0; at < *count; at++)
		digest = mixed(digest, pages.address[at]);
	return digest;
}

static void say_file(short observer, u32 number)
{
	u32 at, count;

	digest_of_file(observer, number, &count);
	say("- ");
	say_decimal(number);
	say_character(' ');
	say_decimal(file[number].size);
	for (at = 0; at < count; at++) {
		say_character(' ');
		if (pages.address[at])
			say_hexadecimal(pages.address[at]);
		else
			say_character('-');
	}
	say_character('\n');
}

/* Which files are still there, and their sizes, of those with a name only where they may have changed. */
static void look_at_files(short observer, int sizes_changed)
{
	u32 number;

	for (number = 0; number < files; number++) {
		struct file *seen = &file[number];
		struct status status;
		int descriptor;

		/* Of what is there from the start, only files on the disk can change. */
		if (seen->dead || (number < 12 && number != 3 && number != 4))
			continue;
		if (seen->named && !sizes_changed)
			continue;
		seen->named = seen->named && CALL4(NEWFSTATAT, AT_FDCWD, seen->path, &status, 0) >= 0 &&
			      status.inode == seen->inode && status.device == seen->device;
		if (seen->named) {
			seen->size = status.size;
			continue;
		}
		descriptor = descriptor_on(observer, number);
		if (descriptor >= 0 && CALL2(FSTAT, descriptor, &status) >= 0)
			seen->size = status.size;
		if (descriptor < 0 && !is_open_somewhere(number) && !is_mapped(number))
			seen->dead = 1;
	}
}

static void observe_files(short observer, int sizes_changed)
{
	static u64 shown;
	u64 digest = 0;
	u32 number, pages_of_one, count = 0;

	look_at_files(observer, sizes_changed);
	for (number = 0; number < files; number++) {
		if (file[number].dead)
			continue;
		count++;
		digest = mixed(digest, digest_of_file(observer, number, &pages_of_one));
	}
	if (!everything_is_new && digest == shown)
		return;
	shown = digest;
	say("files ");
	say_decimal(count);
	say_character('\n');
	for (number = 0; number < files; number++)
		if (!file[number].dead)
			say_file(observer, number);
}

/* What the kernel says of itself, where it is a complaint. */
static void observe_log(void)
{
	static const char words[16][24] = {
		"WARNING:", "BUG:", "BUG at", "Oops", "cut here", "Unable to handle", "unhandled signal",
		"Kernel panic", "Bad page", "refcount", "corruption", "Bad rss", "INFO: task", "use-after-free",
		"badness", "double free",
	};
	long count;

	while ((count = CALL3(READ, log_file, text, sizeof(text))) > 0) {
		char *from = text, *end = text + count;
		int word;

		while (from < end && *from != ';')
			from++;
		for (word = 0; word < 16; word++) {
			char *line_end = from + 1;

			if (!find(from, end, words[word]))
				continue;
			while (line_end < end && *line_end != '\n')
				line_end++;
			say("log ");
			say_bytes(from + 1, line_end - from - 1);
			say_character('\n');
			break;
		}
	}
}

void observe(short observer, enum file_change change)
{
	read_state();
	observe_mappings(observer);
	observe_regions();
	observe_segments();
	if (change != FILES_STAY || everything_is_new)
		observe_files(observer, change == SIZES_CHANGE || everything_is_new);
	observe_log();
	everything_is_new = 0;
}
