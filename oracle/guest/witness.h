// SPDX-License-Identifier: MIT OR Apache-2.0
/* What the guest program and the driver that is built into the kernel say to each other. */
#ifndef NOMMU_WITNESS_H
#define NOMMU_WITNESS_H

#define WITNESS_REGIONS 512
#define WITNESS_PAGES 4096
#define WITNESS_DRIVERS 2
#define WITNESS_SPACES 64

/* Requests of /dev/witness. */
#define WITNESS_SCRIPT 0x4e01
#define WITNESS_AFRESH 0x4e02
#define WITNESS_STATE 0x4e03
#define WITNESS_PAGES_OF 0x4e04
#define WITNESS_SPACES_OF 0x4e05

/* A field of a script that stays as it is, and an operation that the driver does not have. */
#define WITNESS_KEEP 0x7fffffff
#define WITNESS_ABSENT 0x7ffffffe

struct witness_script {
	unsigned int device;
	/* NOMMU_MAP_ bits; -1 declares none. */
	int capabilities;
	/* 0, a negative error number, or WITNESS_ABSENT. */
	int area;
	int mmap;
	int readable;
	int busy;
};

struct witness_region {
	unsigned long long start;
	unsigned long long end;
	unsigned long long top;
	unsigned long long offset;
	unsigned long long inode;
	unsigned int major;
	unsigned int minor;
	unsigned int users;
	unsigned char readable;
	unsigned char writable;
	unsigned char executable;
	unsigned char shareable;
	unsigned char copy;
	unsigned char has_file;
	unsigned char unused[6];
};

struct witness_driver {
	unsigned int area_calls;
	unsigned int mmap_calls;
	unsigned int close_calls;
	int mapped;
	unsigned long long memory;
};

struct witness_state {
	unsigned long long copied_pages;
	unsigned long long free_pages;
	struct witness_driver driver[WITNESS_DRIVERS];
	/* How many there are, which may be more than are shown. */
	unsigned long long regions;
	struct witness_region region[WITNESS_REGIONS];
};

/* Of what a descriptor was opened on; or, without one, of what is mapped of a device's file. */
struct witness_pages {
	int descriptor;
	unsigned int count;
	unsigned long long device;
	unsigned long long inode;
	unsigned long long address[WITNESS_PAGES];
};

/* What the lists of mappings of some processes come to: another digest, another list. */
struct witness_spaces {
	unsigned int count;
	int process[WITNESS_SPACES];
	unsigned long long digest[WITNESS_SPACES];
};

#endif
