// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the program keeps of a trace. There is one copy of it: every process of the machine sees it.
 */
#ifndef WORLD_H
#define WORLD_H

#include "system.h"
#include "witness.h"

#define PAGE 4096ul
#define PROCESSES 60
#define STACK_BYTES 12288
#define DESCRIPTOR_NAMES 2048
#define NAMES 65536
#define FILES 512
#define SEGMENTS 256
#define MAPPINGS 128
#define PATH_LIMIT 140
#define TEXT_LIMIT 32768
/* Bytes that one operation moves at most. */
#define TRANSFER_LIMIT (256ul << 10)

#define NOBODY (-1)

/* A line of /proc/<pid>/maps. */
struct mapping {
	u64 start, end, offset, device_major, device_minor, inode;
	u8 protection, shared, is_object, is_segment;
};

struct process {
	/* The name that a trace gives it. */
	u32 name;
	int pid;
	u8 alive, exiting;
	/* Which process, by its place, waits for this one to exec or exit; or traces it. */
	short waiter, tracer;
	u8 suspended;
	/* Tells descriptors of /proc files apart that were opened for an earlier process of this place. */
	u32 generation;
	short descriptor[DESCRIPTOR_NAMES];
	struct { short descriptor; u32 generation; } maps[PROCESSES];
	/* The listing that was last shown, by its digest. */
	u64 shown;
	struct mapping mapping[MAPPINGS];
	u32 mappings;
};

struct file {
	char path[PATH_LIMIT];
	u64 device, inode, size;
	u8 named, dead, is_memory_backed, is_rom;
};

extern struct process process[PROCESSES];
extern struct file file[FILES];
extern u32 files;
extern struct witness_state state;
/* Regions that are there before any trace. */
extern u64 base_regions, base_copied_pages, base_free_pages;
extern u64 address_of[NAMES];
extern int segment_of[NAMES];
extern short place_of[NAMES];
/* SysV identifiers in the order in which segments were made. */
extern struct segment { int id; u64 start; u8 dead; } segment[SEGMENTS];
extern u32 segments;
/* Which file a descriptor's name was opened on. */
extern short file_of[DESCRIPTOR_NAMES];
extern int witness, log_file, trim_file;

/* objects.c */
void set_up(void);
/* Files, devices and settings as a trace finds them. Where nothing was done since, little has to be. */
void renew(u64 trim, int is_fresh);
/* Tells of the name of an object that may be changed from now on. */
void note_touched(const char *path);
void restore_device(u32 number);
u32 file_number(u64 device, u64 inode);
short register_file(const char *path);

/* observe.c */
/* What an operation may change of files: nothing; where their pages are, and whether they live on; or all. */
enum file_change { FILES_STAY, PAGES_CHANGE, SIZES_CHANGE };
void observe(short observer, enum file_change change);
void forget_what_was_shown(void);
void read_state(void);
u64 read_maps(short observer, short observed, u64 chunk, char *text, u64 limit);
u32 parse_mappings(const char *text, u64 length, struct mapping *mapping, u32 limit);
void say_mapping(const struct mapping *mapping);
void say_region(const struct witness_region *region);
struct mapping *mapping_around(short owner, u64 address, u64 length);
int is_direct_rom(const struct mapping *mapping);
/* Where a memory-backed file's pages are; how many are told. */
u32 look_at_pages(short observer, u32 number);
extern struct witness_pages pages;
int is_base_region(const struct witness_region *region);

/* read.c */
/* Reads a line; answers it at once if it is malformed, and else says who performs it. */
int read_operation(char *line, short *performer);

/* perform.c */
/* Performs and answers what was read; whether the caller goes on with the next line. */
int perform(short self);
/* Whether anything was performed since the objects were made afresh. */
extern u8 is_used;
/* The bare access of a load or store that is about to be performed. */
void access_memory(void);

/* process.c */
/* Makes a process that shares memory with its parent, or one with nothing mapped. */
long start_process(short parent, u32 name, u64 flags);
/* Ends the process that calls this. */
void leave(short self);
/* Performs a load or store as a process; the signal that it ends by, or 0. */
int access_as(short self);
/* Says by what signal a process ended. */
void say_ended(short place, int signal);
void close_maps(short observer, short observed);

#endif
