// SPDX-License-Identifier: MIT OR Apache-2.0
/* What listings of mappings say, and where contents are. */
#include "channel.h"
#include "operation.h"

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

void perform_maps(short self)
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

void perform_show(void)
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
