//! Worlds, compared and rendered.

use super::World;
use super::config::{Config, Window};
use crate::observation::{FreeBlock, Observation, Sight};
use crate::op::{MapFlags, OpenFlags};
use crate::step::tests::bench::{BASE, Bench, PAGE, at, page};

#[track_caller]
fn differs(world: &World, seen: &Observation, words: &[&str]) {
    let found = world.compare(seen, Sight::all()).unwrap_err();
    let lines: Vec<_> = found
        .iter()
        .map(|found| {
            let rules: Vec<_> = found.rules.iter().map(|rule| rule.0).collect();
            let rules = rules.join(", ");
            format!(
                "{}: {}; seen is {} ({rules})",
                found.component, found.expected, found.seen
            )
        })
        .collect();
    assert_eq!(lines, words);
}

fn bench() -> Bench {
    let mut bench = Bench::with(|config| config.trim = 0);
    bench.anonymous(0, 3);
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "r", MapFlags::PRIVATE, Some(file), PAGE);
    bench.accepts(operation, at(page(4)));
    bench
}

#[test]
fn a_region_that_keeps_too_little() {
    let bench = bench();
    let mut seen = bench.world.observe();
    seen.regions[0].top = page(3);
    seen.copied_pages = 4;
    seen.free = vec![
        FreeBlock {
            start: page(3),
            order: 0,
        },
        FreeBlock {
            start: page(5),
            order: 0,
        },
        FreeBlock {
            start: page(6),
            order: 1,
        },
        FreeBlock {
            start: page(8),
            order: 3,
        },
    ];
    differs(
        &bench.world,
        &seen,
        &[
            "regions: 0x1000-0x1030 kept to 0x1040 rw- anonymous, 1 users; \
             seen is 0x1000-0x1030 kept to 0x1030 rw- anonymous, 1 users \
             (trim-disabled, rounds-to-power-of-two)",
            "free pages: 0x1030 belongs to region 0; seen is it is free (one-owner)",
            "pages of regions: 5; seen is 4 (pages-conserved)",
        ],
    );
}

#[test]
fn pages_that_are_lost_or_not_joined() {
    let bench = bench();
    let mut seen = bench.world.observe();
    seen.free.remove(0);
    differs(
        &bench.world,
        &seen,
        &[
            "free pages: 11 free pages, 0x1050 among them; seen is 10 free pages, without it \
           (munmap-releases, exit-releases, shrink-frees-pages)",
        ],
    );
    let mut seen = bench.world.observe();
    let last = seen.free.pop().unwrap();
    assert_eq!(
        last,
        FreeBlock {
            start: page(8),
            order: 3
        }
    );
    seen.free.extend([8, 12].map(|index| FreeBlock {
        start: page(index),
        order: 2,
    }));
    differs(
        &bench.world,
        &seen,
        &[
            "free blocks: a block of order 3 at 0x1080; seen is a block of order 2 at 0x1080 \
           (power-of-two-granule, \
           out-of-memory-justified)",
        ],
    );
}

#[test]
fn what_is_missing_and_what_is_too_much() {
    let bench = bench();
    let mut seen = bench.world.observe();
    seen.processes[0].mappings.pop();
    seen.processes.pop();
    seen.regions[1].start += PAGE;
    seen.files[3].size = 1;
    seen.drivers[0].close_calls = 1;
    differs(
        &bench.world,
        &seen,
        &[
            "mappings of p0: 0x1040-0x1050 r-- private file 4 from 0x10; \
             seen is no more mappings (mappings-as-asked)",
            "p1: alive; seen is not alive (exit-releases, clone-shares-memory)",
            "regions: 0x1040-0x1050 kept to 0x1050 r-- file 4 from 0x10, 1 users; \
             seen is it is not there (mappings-as-asked, others-untouched)",
            "regions: no such region; \
             seen is 0x1050-0x1050 kept to 0x1050 r-- file 4 from 0x10, 1 users \
             (munmap-releases, exit-releases, others-untouched)",
            "file 3: size 0x28; seen is size 0x1 (file-write, others-untouched)",
            "driver of file 9: get_unmapped_area called 0 times, mmap 0, close 0; \
             seen is get_unmapped_area called 0 times, mmap 0, close 1 (driver-close-last)",
        ],
    );
}

#[test]
fn mappings_of_one_range_come_in_any_order() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/ram0", OpenFlags::READ | OpenFlags::WRITE);
    for letters in ["rw", "r"] {
        let operation = bench.mmap(PAGE, letters, MapFlags::SHARED, Some(file), 0);
        bench.accepts(operation, at(0x8000));
    }
    let mut seen = bench.world.observe();
    seen.processes[0].mappings.reverse();
    assert_eq!(bench.world.compare(&seen, Sight::all()), Ok(()));
    seen.processes[0].mappings[0] = seen.processes[0].mappings[1];
    assert!(bench.world.compare(&seen, Sight::all()).is_err());
}

#[test]
fn the_text_of_a_world() {
    let bench = bench();
    let text = bench.world.render();
    let lines = text.lines().filter(|line| {
        ["p0", "space", "region", "free", "file 4 "]
            .iter()
            .any(|start| line.starts_with(start))
    });
    assert_eq!(
        lines.collect::<Vec<_>>().join("\n"),
        "\
p0 alive, space 0
p0 f1 File(FileNumber(4)) r
space 0 maps w+0x0..w+0x30 m0 rw- private anonymous in memory of its own
space 0 maps w+0x40..w+0x50 m2 r-- private file 4+0x10 in memory of its own, shareable
region w+0x0..w+0x30 kept to w+0x40 rw- anonymous users 1
region w+0x0 page 0 holds 00*16
region w+0x0 page 1 holds 00*16
region w+0x0 page 2 holds 00*16
region w+0x40..w+0x50 kept to w+0x50 r-- copy of file 4+0x10, to be re-used users 1
region w+0x40 page 0 holds 16 bytes, digest 18bcb0e5d6f72615
file 4 /disk/b regular size 0x40
file 4 page 0 holds 16 bytes, digest 802d61e6d172d5d5
file 4 page 1 holds 16 bytes, digest 18bcb0e5d6f72615
file 4 page 2 holds 16 bytes, digest eae63f69692145b5
file 4 page 3 holds 16 bytes, digest 9343e47b61fcd805
free w+0x50 order 0
free w+0x60 order 1
free w+0x80 order 3"
    );
}

#[test]
fn objects_have_the_bytes_that_every_trace_knows() {
    let world = World::new(Config {
        page_size: 4096,
        window: Some(Window {
            start: BASE,
            pages: 1,
        }),
        trim: 1,
        uninitialized: false,
        processes: 1,
        deviations: Vec::new(),
    });
    let sizes: Vec<_> = world.files.iter().map(|file| file.size).collect();
    let pages = [
        0, 0, 0, 10240, 16384, 13312, 4096, 16384, 16384, 16384, 16384, 16384,
    ];
    assert_eq!(sizes, pages);
    for (number, file) in world.files.iter().enumerate() {
        for at in [0, 1, 250, 251, 4095, 4096, 10239, 13311]
            .into_iter()
            .filter(|&at| at < file.size)
        {
            let index = at / 4096;
            let page = file.page(index).map(|page| page.contents.clone());
            let Some(super::page::Page::Known(bytes)) = page else {
                panic!("page {index} of file {number} is not known");
            };
            let expected = (17 * number as u64 + 31 * index + at) % 251 + 1;
            assert_eq!(u64::from(bytes[(at % 4096) as usize]), expected);
        }
    }
}
