// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Built into the kernel under test by `cargo xtask kernel build`.
 *
 * It is two things. The character devices chr0 and chr1 are drivers whose answers a trace scripts, so that
 * what the document says of drivers can be tried. The device `witness` shows what the kernel's own records
 * say: regions with their tops and users, where a memory-backed file keeps its pages, and counts. It changes
 * nothing of memory mapping, and is not asked anything while an operation is under way.
 */
#include <linux/backing-dev.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmstat.h>

#include "nommu_witness.h"

#define DEVICES 2
#define DEVICE_ORDER 2
#define DEVICE_BYTES (PAGE_SIZE << DEVICE_ORDER)
#define OPEN_LIMIT 64

struct scripted {
	struct file_operations operations;
	struct miscdevice device;
	struct file *open[OPEN_LIMIT];
	char *memory;
	long capabilities;
	long area;
	long mmap;
	int readable;
	int busy;
	unsigned int area_calls;
	unsigned int mmap_calls;
	unsigned int close_calls;
	int mapped;
};

static struct scripted scripted[DEVICES];
static const char *const names[DEVICES] = { "chr0", "chr1" };

static struct scripted *of(struct file *file)
{
	return container_of(file->f_op, struct scripted, operations);
}

static unsigned int scripted_capabilities(struct file *file)
{
	return of(file)->capabilities;
}

static unsigned long scripted_area(struct file *file, unsigned long address, unsigned long length,
				   unsigned long page, unsigned long flags)
{
	struct scripted *driver = of(file);

	driver->area_calls++;
	if (driver->area)
		return driver->area;
	if (driver->busy)
		return -EBUSY;
	if (page >= DEVICE_BYTES / PAGE_SIZE || PAGE_ALIGN(length) > DEVICE_BYTES - page * PAGE_SIZE)
		return -EINVAL;
	return (unsigned long)driver->memory + page * PAGE_SIZE;
}

static void mapping_opened(struct vm_area_struct *mapping)
{
	((struct scripted *)mapping->vm_private_data)->mapped++;
}

static void mapping_closed(struct vm_area_struct *mapping)
{
	struct scripted *driver = mapping->vm_private_data;

	driver->mapped--;
	driver->close_calls++;
}

static const struct vm_operations_struct mapping_operations = {
	.open = mapping_opened,
	.close = mapping_closed,
};

static int scripted_mmap(struct file *file, struct vm_area_struct *mapping)
{
	struct scripted *driver = of(file);
	int refused;

	driver->mmap_calls++;
	if (driver->mmap)
		return driver->mmap;
	if (driver->busy)
		return -EBUSY;
	refused = remap_pfn_range(mapping, mapping->vm_start, mapping->vm_start >> PAGE_SHIFT,
				  mapping->vm_end - mapping->vm_start, mapping->vm_page_prot);
	if (refused)
		return refused;
	mapping->vm_private_data = driver;
	mapping->vm_ops = &mapping_operations;
	driver->mapped++;
	return 0;
}

static ssize_t scripted_read(struct kiocb *call, struct iov_iter *to)
{
	struct scripted *driver = of(call->ki_filp);
	size_t count = iov_iter_count(to);
	loff_t from = call->ki_pos;

	if (driver->busy)
		return -EBUSY;
	if (from < 0 || from >= DEVICE_BYTES)
		return 0;
	count = copy_to_iter(driver->memory + from, min_t(size_t, count, DEVICE_BYTES - from), to);
	call->ki_pos += count;
	return count;
}

static int scripted_open(struct inode *inode, struct file *file)
{
	struct scripted *driver = of(file);
	int slot;

	for (slot = 0; slot < OPEN_LIMIT; slot++) {
		if (!driver->open[slot]) {
			driver->open[slot] = file;
			return 0;
		}
	}
	return -EMFILE;
}

static int scripted_release(struct inode *inode, struct file *file)
{
	struct scripted *driver = of(file);
	int slot;

	for (slot = 0; slot < OPEN_LIMIT; slot++)
		if (driver->open[slot] == file)
			driver->open[slot] = NULL;
	return 0;
}

static void apply(struct scripted *driver)
{
	struct file_operations *operations = &driver->operations;
	int slot;

	operations->mmap_capabilities = driver->capabilities < 0 ? NULL : scripted_capabilities;
	operations->get_unmapped_area = driver->area == WITNESS_ABSENT ? NULL : scripted_area;
	operations->read_iter = driver->readable ? scripted_read : NULL;
	/* Whether a file can be read is decided when it is opened; a driver that changes its mind is new here. */
	for (slot = 0; slot < OPEN_LIMIT; slot++) {
		struct file *file = driver->open[slot];

		if (!file)
			continue;
		if (driver->readable && (file->f_mode & FMODE_READ))
			file->f_mode |= FMODE_CAN_READ;
		else
			file->f_mode &= ~FMODE_CAN_READ;
	}
}

static long set_script(const struct witness_script *script)
{
	struct scripted *driver;

	if (script->device >= DEVICES)
		return -EINVAL;
	driver = &scripted[script->device];
	if (script->busy == 1 && driver->mapped > 0)
		return -EBUSY;
	if (script->capabilities != WITNESS_KEEP)
		driver->capabilities = script->capabilities;
	if (script->area != WITNESS_KEEP)
		driver->area = script->area;
	if (script->mmap != WITNESS_KEEP)
		driver->mmap = script->mmap;
	if (script->readable != WITNESS_KEEP)
		driver->readable = script->readable;
	if (script->busy != WITNESS_KEEP)
		driver->busy = script->busy;
	apply(driver);
	return 0;
}

static void start_afresh(void)
{
	int number;

	for (number = 0; number < DEVICES; number++) {
		struct scripted *driver = &scripted[number];

		driver->capabilities = -1;
		driver->area = 0;
		driver->mmap = 0;
		driver->readable = 1;
		driver->busy = 0;
		driver->area_calls = driver->mmap_calls = driver->close_calls = 0;
		apply(driver);
	}
}

/* Records of mm/nommu.c. */
extern struct rb_root nommu_region_tree;
extern struct rw_semaphore nommu_region_sem;
extern atomic_long_t mmap_pages_allocated;

static void show_regions(struct witness_state *state)
{
	struct rb_node *node;

	down_read(&nommu_region_sem);
	for (node = rb_first(&nommu_region_tree); node; node = rb_next(node)) {
		struct vm_region *region = rb_entry(node, struct vm_region, vm_rb);
		struct witness_region *shown;

		if (state->regions++ >= WITNESS_REGIONS)
			continue;
		shown = &state->region[state->regions - 1];
		memset(shown, 0, sizeof(*shown));
		shown->start = region->vm_start;
		shown->end = region->vm_end;
		shown->top = region->vm_top;
		shown->offset = (u64)region->vm_pgoff << PAGE_SHIFT;
		shown->users = region->vm_usage;
		shown->readable = !!(region->vm_flags & VM_READ);
		shown->writable = !!(region->vm_flags & VM_WRITE);
		shown->executable = !!(region->vm_flags & VM_EXEC);
		shown->shareable = !!(region->vm_flags & VM_MAYSHARE);
		shown->copy = !region->vm_file || (region->vm_flags & VM_MAPPED_COPY);
		if (region->vm_file) {
			struct inode *inode = file_inode(region->vm_file);

			shown->has_file = 1;
			shown->major = MAJOR(inode->i_sb->s_dev);
			shown->minor = MINOR(inode->i_sb->s_dev);
			shown->inode = inode->i_ino;
		}
	}
	up_read(&nommu_region_sem);
}

static void show_state(struct witness_state *state)
{
	int number;

	state->regions = 0;
	show_regions(state);
	state->copied_pages = atomic_long_read(&mmap_pages_allocated);
	state->free_pages = global_zone_page_state(NR_FREE_PAGES);
	for (number = 0; number < DEVICES; number++) {
		state->driver[number].area_calls = scripted[number].area_calls;
		state->driver[number].mmap_calls = scripted[number].mmap_calls;
		state->driver[number].close_calls = scripted[number].close_calls;
		state->driver[number].mapped = scripted[number].mapped;
		state->driver[number].memory = (u64)(unsigned long)scripted[number].memory;
	}
}

/* A file that a region shows. */
static struct file *mapped_file(u64 device, u64 number)
{
	struct file *found = NULL;
	struct rb_node *node;

	down_read(&nommu_region_sem);
	for (node = rb_first(&nommu_region_tree); node && !found; node = rb_next(node)) {
		struct file *file = rb_entry(node, struct vm_region, vm_rb)->vm_file;

		if (file && file_inode(file)->i_ino == number &&
		    new_encode_dev(file_inode(file)->i_sb->s_dev) == device)
			found = get_file(file);
	}
	up_read(&nommu_region_sem);
	return found;
}

/* The kernel has one address space, and only the guest program calls: its records are written in place. */
static long show_pages(struct witness_pages *pages)
{
	struct file *file = pages->descriptor < 0 ? mapped_file(pages->device, pages->inode) : fget(pages->descriptor);
	unsigned long index;

	if (!file)
		return -EBADF;
	for (index = 0; index < WITNESS_PAGES && index < pages->count; index++) {
		struct page *page = find_get_page(file->f_mapping, index);

		pages->address[index] = 0;
		if (page && !IS_ERR(page)) {
			pages->address[index] = (u64)(unsigned long)page_address(page);
			put_page(page);
		}
	}
	fput(file);
	return 0;
}

static u64 mixed(u64 digest, u64 value)
{
	return (digest ^ value) * 0x100000001b3ull + (digest >> 29);
}

/* Everything of it that /proc/<pid>/maps tells. */
static u64 digest_of_mapping(u64 digest, struct vm_area_struct *mapping)
{
	digest = mixed(digest, mapping->vm_start);
	digest = mixed(digest, mapping->vm_end);
	digest = mixed(digest, mapping->vm_flags);
	digest = mixed(digest, mapping->vm_pgoff);
	if (mapping->vm_file) {
		struct inode *inode = file_inode(mapping->vm_file);

		digest = mixed(digest, inode->i_ino);
		digest = mixed(digest, inode->i_sb->s_dev + 1);
	}
	return digest;
}

static u64 digest_of_space(int process)
{
	struct task_struct *task;
	struct vm_area_struct *mapping;
	struct mm_struct *space;
	u64 digest = 0xcbf29ce484222325ull;

	rcu_read_lock();
	task = find_task_by_vpid(process);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return 0;
	space = get_task_mm(task);
	put_task_struct(task);
	if (!space)
		return 0;
	mmap_read_lock(space);
	{
		VMA_ITERATOR(iterator, space, 0);

		for_each_vma(iterator, mapping)
			digest = digest_of_mapping(digest, mapping);
	}
	mmap_read_unlock(space);
	mmput(space);
	return digest;
}

static long show_spaces(struct witness_spaces *spaces)
{
	unsigned int number;

	for (number = 0; number < spaces->count && number < WITNESS_SPACES; number++)
		spaces->digest[number] = digest_of_space(spaces->process[number]);
	return 0;
}

static long witness_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	switch (request) {
	case WITNESS_SCRIPT:
		return set_script((const struct witness_script *)argument);
	case WITNESS_AFRESH:
		start_afresh();
		return 0;
	case WITNESS_STATE:
		show_state((struct witness_state *)argument);
		return 0;
	case WITNESS_PAGES_OF:
		return show_pages((struct witness_pages *)argument);
	case WITNESS_SPACES_OF:
		return show_spaces((struct witness_spaces *)argument);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations witness_operations = {
	.unlocked_ioctl = witness_ioctl,
};

static struct miscdevice witness_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "witness",
	.fops = &witness_operations,
	.mode = 0666,
};

static int __init witness_start(void)
{
	int number;
	int refused;

	for (number = 0; number < DEVICES; number++) {
		struct scripted *driver = &scripted[number];

		driver->memory = (char *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, DEVICE_ORDER);
		if (!driver->memory)
			return -ENOMEM;
		driver->operations.open = scripted_open;
		driver->operations.release = scripted_release;
		driver->operations.mmap = scripted_mmap;
		driver->operations.llseek = default_llseek;
		driver->device.minor = MISC_DYNAMIC_MINOR;
		driver->device.name = names[number];
		driver->device.fops = &driver->operations;
		driver->device.mode = 0666;
		refused = misc_register(&driver->device);
		if (refused)
			return refused;
	}
	start_afresh();
	return misc_register(&witness_device);
}
device_initcall(witness_start);
