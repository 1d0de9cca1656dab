// SPDX-License-Identifier: MIT OR Apache-2.0
/* The files and devices that a trace finds. */
#include "channel.h"
#include "world.h"

struct file file[FILES];
u32 files;
int witness, log_file, trim_file;
u64 base_regions, base_copied_pages, base_free_pages;

#define INITIAL_FILES 12
#define OBJECT_BYTES (4 * PAGE)

static u8 bytes[OBJECT_BYTES];
/* What is in each at the start, made once. */
static u8 initial[INITIAL_FILES][OBJECT_BYTES] __attribute__((aligned(8)));
/* Which of them the trace has named in a way that may change them. */
static u8 is_touched[INITIAL_FILES];

/* In the order of specs/trace.md. */
static void initial_path(u32 number, char *path)
{
	static const char paths[12][12] = {
		"/ram", "/disk", "/rom", "/disk/a", "/disk/b", "/rom/a", "/rom/b", "/dev/blk0", "/dev/ram0",
		"/dev/chr0", "/dev/chr1", "/dev/mtd0",
	};

	memcpy(path, paths[number], sizeof(paths[number]));
}

#define DISK_A 3
#define DISK_B 4
#define BLK0 7
#define RAM0 8
#define CHR0 9
#define MTD0 11

/* Also in xtask/src/kernel/image.rs, which makes /rom. */
static void make_initial_bytes(void)
{
	u32 number;
	u64 at;

	for (number = 0; number < INITIAL_FILES; number++)
		for (at = 0; at < OBJECT_BYTES; at++)
			initial[number][at] = (17 * number + 31 * (at / PAGE) + at) % 251 + 1;
}

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	say("cannot start: ");
	say(what);
	say(": error ");
	say_decimal(-result);
	say("\n");
	flush();
}

static long open_path(const char *path, int flags)
{
	return CALL4(OPENAT, AT_FDCWD, path, flags, 0777);
}

static void fill_file(const char *path, u32 number, u64 size, int flags)
{
	long descriptor = open_path(path, O_WRONLY | flags);

	must(descriptor, path);
	if (descriptor < 0)
		return;
	must(CALL4(PWRITE64, descriptor, initial[number], size, 0), path);
	CALL1(CLOSE, descriptor);
}

static u64 encode_device(u64 major, u64 minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xfful) << 12;
}

static void make_node(const char *path, u32 mode, u64 major, u64 minor)
{
	CALL3(UNLINKAT, AT_FDCWD, path, 0);
	must(CALL4(MKNODAT, AT_FDCWD, path, mode | 0666, encode_device(major, minor)), path);
	must(CALL3(FCHMODAT, AT_FDCWD, path, mode & 07777 ? mode & 07777 : 0666), path);
}

static void make_directory(const char *path)
{
	CALL3(MKDIRAT, AT_FDCWD, path, 0777);
	CALL3(FCHMODAT, AT_FDCWD, path, 0777);
}

static void mount(const char *source, const char *target, const char *type, u64 flags)
{
	must(CALL6(MOUNT, source, target, type, flags, NULL, 0), target);
}

/* Attaches a loop device to a file. */
static void attach(const char *device, const char *path)
{
	long loop = open_path(device, O_RDWR), backing = open_path(path, O_RDWR);

	must(loop, device);
	must(backing, path);
	must(CALL3(IOCTL, loop, LOOP_SET_FD, backing), device);
	CALL1(CLOSE, loop);
	CALL1(CLOSE, backing);
}

static void copy(const char *from, const char *to)
{
	long in = open_path(from, O_RDONLY), out = open_path(to, O_WRONLY);
	long count;

	must(in, from);
	must(out, to);
	while (in >= 0 && out >= 0 && (count = CALL3(READ, in, bytes, sizeof(bytes))) > 0)
		must(CALL3(WRITE, out, bytes, count), to);
	CALL1(CLOSE, in);
	CALL1(CLOSE, out);
}

void set_up(void)
{
	u64 limits[2] = { 16384, 16384 };
	long descriptor;

	make_initial_bytes();
	make_directory("/proc");
	mount("proc", "/proc", "proc", 0);
	make_directory("/dev");
	CALL6(MOUNT, "devtmpfs", "/dev", "devtmpfs", 0, NULL, 0);
	make_directory("/ram");
	mount("ramfs", "/ram", "ramfs", 0);
	CALL3(FCHMODAT, AT_FDCWD, "/ram", 0777);
	make_directory("/disk");
	make_directory("/rom");

	attach("/dev/loop0", "/disk.img");
	mount("/dev/loop0", "/disk", "ext2", 0);
	CALL3(FCHMODAT, AT_FDCWD, "/disk", 0777);
	attach("/dev/loop1", "/block.img");
	make_node("/dev/blk0", S_IFBLK, 7, 1);
	CALL3(FCHMODAT, AT_FDCWD, "/dev/ram0", 0666);
	fill_file("/dev/mtd0", MTD0, 4 * PAGE, 0);
	copy("/rom.img", "/dev/mtd1");
	mount("mtd1", "/rom", "romfs", 1);
	/* The read-only face of the flash. */
	make_node("/dev/mtd0", S_IFCHR, 90, 1);

	must(CALL4(PRLIMIT64, 0, 7, limits, NULL), "limit of descriptors");
	witness = open_path("/dev/witness", O_RDWR);
	must(witness, "/dev/witness");
	log_file = open_path("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	must(log_file, "/dev/kmsg");
	trim_file = open_path("/proc/sys/vm/nr_trim_pages", O_RDWR);
	must(trim_file, "/proc/sys/vm/nr_trim_pages");
	descriptor = open_path("/proc/sys/kernel/printk", O_WRONLY);
	CALL3(WRITE, descriptor, "5", 1);
	CALL1(CLOSE, descriptor);
	/* What file systems permit is decided as for somebody who is not the superuser. */
	CALL1(SETFSUID, 1000);

	fill_file("/disk/a", DISK_A, 2 * PAGE + PAGE / 2, O_CREAT | O_TRUNC);
	fill_file("/disk/b", DISK_B, 4 * PAGE, O_CREAT | O_TRUNC);
	memset(is_touched, 1, sizeof(is_touched));
	read_state();
	base_regions = state.regions;
	base_copied_pages = state.copied_pages;
}

/* Whether a path is that of a file which exists from the start and that no operation has named. */
static int is_as_made(const char *path)
{
	u32 number;

	for (number = 0; number < INITIAL_FILES; number++) {
		char known[12];

		initial_path(number, known);
		if (same_text(known, path))
			return !is_touched[number];
	}
	return 0;
}

/* Removes what traces made in a directory. */
static void empty(const char *directory)
{
	static char path[PATH_LIMIT * 2 + 16];
	long descriptor = open_path(directory, O_RDONLY);
	u64 prefix = length_of(directory);
	long count;

	memcpy(path, directory, prefix);
	path[prefix] = '/';
	while (descriptor >= 0 && (count = CALL3(GETDENTS64, descriptor, bytes, sizeof(bytes))) > 0) {
		long at;

		for (at = 0; at < count; at += *(u16 *)(bytes + at + 16)) {
			const char *name = (const char *)bytes + at + 19;

			if (same_text(name, ".") || same_text(name, "..") || same_text(name, "lost+found"))
				continue;
			memcpy(path + prefix + 1, name, length_of(name) + 1);
			if (!is_as_made(path))
				CALL3(UNLINKAT, AT_FDCWD, path, 0);
		}
	}
	CALL1(CLOSE, descriptor);
}

void restore_device(u32 number)
{
	if (number == BLK0)
		fill_file("/dev/blk0", BLK0, 4 * PAGE, 0);
	else
		fill_file("/dev/ram0", RAM0, 4 * PAGE, 0);
}

static void write_trim(u64 trim)
{
	char digits[20];
	int count = sizeof(digits);

	do
		digits[--count] = '0' + trim % 10;
	while (trim /= 10);
	CALL4(PWRITE64, trim_file, digits + count, sizeof(digits) - count, 0);
}

void note_touched(const char *path)
{
	u32 number;

	for (number = 0; number < INITIAL_FILES; number++) {
		char known[12];

		initial_path(number, known);
		if (same_text(known, path))
			is_touched[number] = 1;
	}
}

static void renew_objects(void)
{
	u32 number;

	for (number = 0; number < segments; number++)
		CALL3(SHMCTL, segment[number].id, IPC_RMID, NULL);
	segments = 0;
	empty("/ram");
	empty("/disk");
	if (is_touched[DISK_A])
		fill_file("/disk/a", DISK_A, 2 * PAGE + PAGE / 2, O_CREAT | O_TRUNC);
	if (is_touched[DISK_B])
		fill_file("/disk/b", DISK_B, 4 * PAGE, O_CREAT | O_TRUNC);
	if (is_touched[BLK0])
		restore_device(BLK0);
	if (is_touched[RAM0])
		restore_device(RAM0);
	CALL3(IOCTL, witness, WITNESS_AFRESH, 0);
	read_state();
	for (number = 0; number < WITNESS_DRIVERS; number++)
		if (is_touched[CHR0 + number])
			memcpy((void *)state.driver[number].memory, initial[CHR0 + number], OBJECT_BYTES);
	memset(is_touched, 0, sizeof(is_touched));
}

void renew(u64 trim, int is_fresh)
{
	u32 number;

	if (!is_fresh)
		renew_objects();
	write_trim(trim);
	read_state();
	files = 0;
	memset(file_of, 0xff, sizeof(file_of));
	for (number = 0; number < INITIAL_FILES; number++) {
		char path[12];

		initial_path(number, path);
		register_file(path);
	}
}

/* The file of an inode, the newest first: an inode's number is used again. */
u32 file_number(u64 device, u64 inode)
{
	u32 number = files;

	while (number--)
		if (file[number].inode == inode && file[number].device == device)
			return number;
	return FILES;
}

static int begins_with(const char *text, const char *beginning)
{
	while (*beginning && *text == *beginning)
		text++, beginning++;
	return !*beginning;
}

short register_file(const char *path)
{
	struct status status;
	struct file *found;
	u32 number;

	if (CALL4(NEWFSTATAT, AT_FDCWD, path, &status, 0) < 0)
		return NOBODY;
	number = file_number(status.device, status.inode);
	if (number < files && !file[number].dead && file[number].named && same_text(file[number].path, path))
		return number;
	if (files == FILES)
		return NOBODY;
	found = &file[files];
	memset(found, 0, sizeof(*found));
	memcpy(found->path, path, length_of(path) + 1);
	found->device = status.device;
	found->inode = status.inode;
	found->size = status.size;
	found->named = 1;
	found->is_memory_backed = begins_with(path, "/ram/");
	found->is_rom = begins_with(path, "/rom/") || same_text(path, "/dev/mtd0");
	/* A directory's size is its file system's affair. Devices do not tell their size; each has four pages. */
	if ((status.mode & 0170000) == 0040000)
		found->size = 0;
	if (begins_with(path, "/dev/"))
		found->size = 4 * PAGE;
	return files++;
}
