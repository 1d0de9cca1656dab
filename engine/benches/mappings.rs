//! What a call costs beside 10^2, 10^4 and 10^6 live regions, all in one address space.
//!
//! First with pages of 4096 bytes, which are cleared; then with pages of 64 bytes, so that the
//! search for records is what is measured and not the clearing, which is the same however many
//! regions there are.

mod measure;
mod random;

use measure::nanoseconds;
use nommu_engine::{
    Config, Engine, MapFlags, MapRequest, Memory, OpenFlags, Pid, Protection, Source,
};
use random::Random;
use std::ops::Range;

const PAGE: u64 = 64;
const LARGE_PAGE: u64 = 4096;
const PID: Pid = Pid(0);
const LIVE: [u64; 3] = [100, 10_000, 1_000_000];

/// Memory of which only the first so many bytes exist, and stand for all the rest: it takes as
/// long to clear as any, without 10^6 pages having to be there.
struct Folded(Vec<u8>);

impl Folded {
    const LENGTH: u64 = 1 << 26;

    fn new() -> Self {
        // A run that begins before the end may go on beyond it.
        Self(vec![0; 2 * Self::LENGTH as usize])
    }

    fn run(&self, address: u64, length: u64) -> Range<usize> {
        let start = (address % Self::LENGTH) as usize;
        start..start + length as usize
    }
}

impl Memory for Folded {
    fn read(&self, address: u64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0[self.run(address, bytes.len() as u64)]);
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        let run = self.run(address, bytes.len() as u64);
        self.0[run].copy_from_slice(bytes);
    }

    fn fill(&mut self, address: u64, length: u64, byte: u8) {
        let run = self.run(address, length);
        self.0[run].fill(byte);
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        let from = self.run(from, length);
        let to = self.run(to, length);
        self.0.copy_within(from, to.start);
    }
}

type System = Engine<Folded>;

fn system(page_size: u64) -> System {
    let config = Config {
        page_size,
        pages: 3 << 20,
        ..Config::default()
    };
    Engine::new(config, Folded::new()).unwrap()
}

/// Of whatever size a page is, one byte is in one page.
const ANONYMOUS: MapRequest = MapRequest {
    address: 0,
    length: 1,
    protection: Protection::READ.union(Protection::WRITE),
    flags: MapFlags::PRIVATE,
    descriptor: None,
    offset: 0,
};

/// So many anonymous mappings.
fn anonymous(live: u64, page: u64) -> (System, Vec<u64>) {
    let mut system = system(page);
    let addresses = (0..live)
        .map(|_| system.mmap(PID, &ANONYMOUS).unwrap())
        .collect();
    (system, addresses)
}

/// So many private mappings of one file, each of another page of it, which keeps its region.
fn of_one_file(live: u64, page: u64) -> (System, MapRequest) {
    let mut system = system(page);
    let descriptor = Some(system.open(PID, "/disk/b", OpenFlags::READ).unwrap());
    let request = MapRequest {
        protection: Protection::READ,
        descriptor,
        ..ANONYMOUS
    };
    for number in 0..live {
        let offset = number * page;
        system.mmap(PID, &MapRequest { offset, ..request }).unwrap();
    }
    (system, request)
}

fn pairs(count: u64, system: &mut System, request: &MapRequest) -> f64 {
    nanoseconds(count, || {
        for _ in 0..count {
            let address = system.mmap(PID, std::hint::black_box(request)).unwrap();
            system.munmap(PID, address, request.length).unwrap();
        }
    })
}

const STEPS: u64 = 2_000;

/// Anonymous memory mapped and unmapped, of so many pages.
fn map_and_unmap(live: u64, page: u64, pages: u64) -> f64 {
    let (mut system, _) = anonymous(live, page);
    let length = pages * page;
    pairs(
        STEPS,
        &mut system,
        &MapRequest {
            length,
            ..ANONYMOUS
        },
    )
}

/// A random one of the mappings unmapped, and another made.
fn replace_at_random(live: u64) -> f64 {
    let (mut system, mut addresses) = anonymous(live, PAGE);
    let mut random = Random::new();
    nanoseconds(STEPS, || {
        for _ in 0..STEPS {
            let address = &mut addresses[random.below(live) as usize];
            system.munmap(PID, *address, PAGE).unwrap();
            *address = system.mmap(PID, &ANONYMOUS).unwrap();
        }
    })
}

/// A file mapping that re-uses a region, made and unmapped, beside anonymous mappings.
fn reuse_beside_anonymous(live: u64, page: u64) -> f64 {
    let (mut system, _) = anonymous(live, page);
    let descriptor = Some(system.open(PID, "/disk/b", OpenFlags::READ).unwrap());
    let request = MapRequest {
        protection: Protection::READ,
        descriptor,
        ..ANONYMOUS
    };
    system.mmap(PID, &request).unwrap();
    pairs(STEPS, &mut system, &request)
}

/// The same, of a page in the middle of a file all of whose pages are mapped.
fn reuse_beside_one_file(live: u64, page: u64) -> f64 {
    let (mut system, request) = of_one_file(live, page);
    let offset = live / 2 * page;
    pairs(STEPS, &mut system, &MapRequest { offset, ..request })
}

/// The same, of any page of it.
fn reuse_at_random(live: u64) -> f64 {
    let (mut system, request) = of_one_file(live, PAGE);
    let mut random = Random::new();
    nanoseconds(STEPS, || {
        for _ in 0..STEPS {
            let offset = random.below(live) * PAGE;
            let address = system.mmap(PID, &MapRequest { offset, ..request }).unwrap();
            system.munmap(PID, address, PAGE).unwrap();
        }
    })
}

/// Stores through a mapping that is found by address.
fn store_at_random(live: u64) -> f64 {
    let (mut system, addresses) = anonymous(live, PAGE);
    let mut random = Random::new();
    nanoseconds(STEPS, || {
        for _ in 0..STEPS {
            let address = addresses[random.below(live) as usize];
            let source = Source::Fill { byte: 1, count: 8 };
            system.store(PID, address, source).unwrap();
        }
    })
}

fn row(name: &str, cost: impl Fn(u64) -> f64) {
    let costs = LIVE.map(cost);
    let growth = costs[2] / costs[0];
    println!(
        "{name:<44} {:>8.1} {:>8.1} {:>8.1} {growth:>7.2}x",
        costs[0], costs[1], costs[2]
    );
}

fn main() {
    println!(
        "nanoseconds per pair of calls beside so many live regions; the last column is 10^6 over 10^2"
    );
    println!("{:<44} {:>8} {:>8} {:>8}", "", "10^2", "10^4", "10^6");
    for page in [LARGE_PAGE, PAGE] {
        println!("pages of {page} bytes:");
        row("map + unmap 1 page", |live| map_and_unmap(live, page, 1));
        row("map + unmap 3 pages", |live| map_and_unmap(live, page, 3));
        row("re-used file mapping, beside anonymous", |live| {
            reuse_beside_anonymous(live, page)
        });
        row("re-used file mapping, beside the same file", |live| {
            reuse_beside_one_file(live, page)
        });
    }
    println!("pages of {PAGE} bytes, without locality, so that memory caches miss as well:");
    row("map + unmap, a random mapping replaced", replace_at_random);
    row("re-used file mapping, a random page", reuse_at_random);
    row("store to a random mapping (one call)", store_at_random);
}
