//! When two states are one.
//!
//! A state is written with everything in it, the engine's hidden parts included, so two that
//! are written alike go on alike. Names are the exception. Processes, files that were made,
//! segments and descriptors are known by numbers that only say when they were made, and each
//! operation that a scope has for one of them it has for all of them. Renaming them in a state
//! renames them in its operations and in all that follows, and nothing that is judged depends
//! on a name: neither a rule nor a comparison names a particular process, made file or
//! segment. So states that differ in names break the same rules by paths of the same length,
//! and one of them stands for all.
//!
//! - *Processes*: all that live; the dead are not written, since no operation of a scope names
//!   them.
//! - *Files that were made*: in each folder, when the scope treats the paths it makes there
//!   alike ([`Scope::paths_alike`]). Those that exist from the start differ by their contents.
//! - *Segments*, and their keys when the scope treats these alike ([`Scope::keys_alike`]).
//! - *Descriptors* of one process, and what they are called.
//! - *Mappings* have no names in a state: operations give addresses.
//!
//! The least writing is taken. To find it, things are put in an order that has nothing to do
//! with names, and only those that tie are tried in every order.
//!
//! Addresses are not renamed: which page is taken next depends on them.

use crate::explore::scope::Scope;
use crate::target::engine::{TrackedMemory, panics};
use nommu_engine::{Engine, FileNumber as EngineFile, Labels, Pid, SegmentNumber};
use nommu_model::observation::Object;
use nommu_model::op::{Answer, Process};
use nommu_model::world::World;
use nommu_model::world::file::{Driver, File};
use nommu_model::world::page::Page;
use nommu_model::world::process::OpenTarget;
use nommu_model::world::region::Origin;
use nommu_model::world::space::{Backing, Mapping};

/// Files that exist from the start.
const BUILTIN_FILES: usize = 12;
/// Orders that are tried at most; with more, states that are one may be kept apart, which
/// costs time and nothing else.
const MOST_ORDERS: usize = 720;

/// An order of everything that has a name.
#[derive(Clone, Debug, Default)]
struct Order {
    processes: Vec<usize>,
    files: Vec<usize>,
    segments: Vec<usize>,
}

/// Both sides when everything began.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub world: &'a World,
    pub engine: &'a Engine<TrackedMemory>,
}

/// Appends the state without its names.
pub fn canonical(
    start: Start<'_>,
    world: &World,
    engine: &Engine<TrackedMemory>,
    scope: &Scope,
    bytes: &mut Vec<u8>,
) {
    let own = Order {
        processes: living(world),
        files: made(world),
        segments: segments(world),
    };
    let trivial = own.processes.len() < 2 && own.files.len() < 2 && own.segments.len() < 2;
    if trivial || !scope.reduces {
        write(start, world, engine, scope, &own, bytes);
        return;
    }
    let begin = bytes.len();
    for order in orders(world, &own) {
        // Behind the least so far, where there is room already.
        let end = bytes.len();
        write(start, world, engine, scope, &order, bytes);
        let (least, other) = bytes[begin..].split_at(end - begin);
        match least.is_empty() || other < least {
            true => {
                let length = other.len();
                bytes.copy_within(end.., begin);
                bytes.truncate(begin + length);
            }
            false => bytes.truncate(end),
        }
    }
}

fn living(world: &World) -> Vec<usize> {
    let all = 0..world.processes.len();
    all.filter(|&number| world.processes[number].alive)
        .collect()
}

fn made(world: &World) -> Vec<usize> {
    let all = BUILTIN_FILES..world.files.len();
    all.filter(|&number| !world.files[number].dead).collect()
}

fn segments(world: &World) -> Vec<usize> {
    let all = 0..world.segments.len();
    all.filter(|&number| !world.segments[number].dead).collect()
}

/// Every order in which nothing stands before what must come before it.
fn orders(world: &World, own: &Order) -> Vec<Order> {
    let processes = arrangements(&own.processes, |number| process_signature(world, number));
    let files = arrangements(&own.files, |number| file_signature(&world.files[number]));
    let segments = arrangements(&own.segments, |number| {
        let segment = &world.segments[number];
        [
            segment.start.map_or(0, |start| start.wrapping_add(1)),
            segment.size,
            segment.attached.into(),
            segment.removed.into(),
        ]
        .into_iter()
    });
    let mut orders = Vec::new();
    for processes in &processes {
        for files in &files {
            for segments in &segments {
                if orders.len() < MOST_ORDERS {
                    orders.push(Order {
                        processes: processes.clone(),
                        files: files.clone(),
                        segments: segments.clone(),
                    });
                }
            }
        }
    }
    orders
}

/// Sorts by signature, with every order of those that tie.
fn arrangements<S: Iterator<Item = u64>>(
    numbers: &[usize],
    signature: impl Fn(usize) -> S,
) -> Vec<Vec<usize>> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(|&one, &other| {
        let signatures = signature(one).cmp(signature(other));
        signatures.then(one.cmp(&other))
    });
    let tie = |one: &usize, other: &usize| signature(*one).eq(signature(*other));
    if !sorted.windows(2).any(|pair| tie(&pair[0], &pair[1])) {
        return vec![sorted];
    }
    let mut arrangements = vec![Vec::new()];
    for group in sorted.chunk_by(tie) {
        let tails = permutations(group);
        let heads = std::mem::take(&mut arrangements);
        for head in heads {
            for tail in &tails {
                if arrangements.len() < MOST_ORDERS {
                    arrangements.push([head.as_slice(), tail].concat());
                }
            }
        }
    }
    arrangements
}

fn permutations(group: &[usize]) -> Vec<Vec<usize>> {
    if group.len() < 2 {
        return vec![group.to_vec()];
    }
    let mut all = Vec::new();
    for (place, &first) in group.iter().enumerate() {
        let rest = [&group[..place], &group[place + 1..]].concat();
        for tail in permutations(&rest) {
            if all.len() == MOST_ORDERS {
                // Of ten there are millions.
                return all;
            }
            all.push([[first].as_slice(), &tail].concat());
        }
    }
    all
}

/// What says something about a process whatever things are called.
fn process_signature(world: &World, number: usize) -> impl Iterator<Item = u64> {
    let state = &world.processes[number];
    // A sum, since the order of descriptors is one of names.
    let opened = state.descriptors.values().fold(0u64, |sum, open| {
        let open = &world.open_files[usize::from(open.0)];
        let target = match open.target {
            OpenTarget::Pipe => 0,
            OpenTarget::Socket => 1,
            OpenTarget::File(file) => 2 + usize::from(file.0).min(BUILTIN_FILES) as u64,
        };
        let access = u64::from(open.readable) | u64::from(open.writable) << 1;
        let what = target << 34 | u64::from(open.descriptors) << 2 | access;
        sum.wrapping_add((what + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    });
    let own = [
        u64::from(state.waits_for.is_some()),
        u64::from(state.tracer.is_some()),
        opened,
    ];
    let mappings = world.spaces[usize::from(state.space.0)].mappings.iter();
    own.into_iter().chain(mappings.flat_map(|mapping| {
        let protection = mapping.protection.bits().into();
        [mapping.start, mapping.end, protection, mapping.offset]
    }))
}

fn file_signature(file: &File) -> impl Iterator<Item = u64> {
    let own = [file.kind as u64, u64::from(file.path.is_some()), file.size];
    let pages = file.pages.iter();
    own.into_iter()
        .chain(pages.flat_map(|page| [page.index.into(), page.address.unwrap_or(0)]))
}

fn write(
    start: Start<'_>,
    world: &World,
    engine: &Engine<TrackedMemory>,
    scope: &Scope,
    order: &Order,
    bytes: &mut Vec<u8>,
) {
    Writer {
        start: start.world,
        world,
        scope,
        order,
        bytes,
    }
    .world();
    // Both sides number what they make as they make it. Should a fault part them, what has no
    // label is written by number.
    let pids: Vec<Pid> = engine.processes().collect();
    let living = living(world);
    let pid = |number: &usize| {
        let place = living.iter().position(|other| other == number)?;
        pids.get(place).copied()
    };
    let processes: Vec<Pid> = order.processes.iter().filter_map(pid).collect();
    let files = order.files.iter().map(|&number| EngineFile(number as u32));
    let segments = order.segments.iter();
    let labels = Labels {
        processes: &processes,
        files: &files.collect::<Vec<_>>(),
        segments: &segments
            .map(|&number| SegmentNumber(number as u32))
            .collect::<Vec<_>>(),
        paths_alike: scope.paths_alike && scope.reduces,
        keys_alike: scope.keys_alike && scope.reduces,
    };
    // An engine whose records contradict each other may not be able to write them. What it wrote
    // until then tells such a state from others.
    if let Err(words) = panics::watch(|| engine.write_state(start.engine, &labels, bytes)) {
        bytes.extend_from_slice(words.as_bytes());
    }
}

/// Writes a world.
struct Writer<'a> {
    start: &'a World,
    world: &'a World,
    scope: &'a Scope,
    order: &'a Order,
    bytes: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn world(&mut self) {
        let world = self.world;
        self.number(world.config.trim);
        for number in 0..BUILTIN_FILES.min(world.files.len()) {
            // Most are never changed, and then both are one value: that is quickly seen.
            let file = &world.files[number];
            let before = self.start.files.get(number);
            let changed = !before.is_some_and(|before| before.is_same(file) || is_as(file, before));
            self.bytes.push(u8::from(changed));
            if changed {
                self.file(file);
            }
        }
        self.number(self.order.files.len() as u64);
        for &number in &self.order.files {
            self.file(&world.files[number]);
        }
        self.number(self.order.segments.len() as u64);
        for &number in &self.order.segments {
            self.segment(number);
        }
        self.number(world.regions.len() as u64);
        for region in world.regions.iter() {
            self.number(region.start);
            self.number(region.end);
            self.number(region.top);
            self.bytes.push(region.protection.bits());
            match region.origin {
                Origin::Anonymous => self.bytes.push(0),
                Origin::Copy {
                    file,
                    offset,
                    reusable,
                } => {
                    self.bytes.push(1 + u8::from(reusable));
                    let file = self.file_label(usize::from(file.0));
                    self.number(file);
                    self.number(offset);
                }
            }
            self.number(region.users.into());
            region.pages.iter().for_each(|page| self.page(page));
        }
        self.processes();
    }

    fn file_label(&self, number: usize) -> u64 {
        match self.order.files.iter().position(|&other| other == number) {
            Some(label) => (BUILTIN_FILES + label) as u64,
            // One that is gone leaves nothing behind but its number.
            None if number >= BUILTIN_FILES => u64::MAX,
            None => number as u64,
        }
    }

    fn segment_label(&self, number: usize) -> u64 {
        let label = self
            .order
            .segments
            .iter()
            .position(|&other| other == number);
        label.map_or(u64::MAX, |label| label as u64)
    }

    fn process_label(&self, process: Option<Process>) -> u64 {
        let Some(process) = process else {
            return 0;
        };
        let number = usize::from(process.0);
        let label = self
            .order
            .processes
            .iter()
            .position(|&other| other == number);
        label.map_or(u64::MAX, |label| label as u64 + 1)
    }

    fn processes(&mut self) {
        let world = self.world;
        let mut spaces = Vec::new();
        self.number(self.order.processes.len() as u64);
        for &number in &self.order.processes {
            let state = &world.processes[number];
            let known = spaces.iter().position(|&space| space == state.space);
            self.number(known.unwrap_or(spaces.len()) as u64);
            if known.is_none() {
                spaces.push(state.space);
            }
            self.number(self.process_label(state.waits_for));
            self.number(self.process_label(state.tracer));
            let opened = state.descriptors.iter();
            let mut opened: Vec<(u64, u64)> = opened
                .map(|(name, open)| {
                    let open = &world.open_files[usize::from(open.0)];
                    let target = match open.target {
                        OpenTarget::Pipe => 0,
                        OpenTarget::Socket => 1,
                        OpenTarget::File(file) => 2 + self.file_label(usize::from(file.0)),
                    };
                    let access = u64::from(open.readable) | u64::from(open.writable) << 1;
                    let name = match self.scope.reduces {
                        true => 0,
                        false => u64::from(name.0),
                    };
                    (
                        target,
                        access | u64::from(open.descriptors) << 2 | name << 34,
                    )
                })
                .collect();
            opened.sort_unstable();
            self.number(opened.len() as u64);
            for (target, how) in opened {
                self.number(target);
                self.number(how);
            }
        }
        for space in spaces {
            let mappings = &world.spaces[usize::from(space.0)].mappings;
            self.number(mappings.len() as u64);
            mappings.iter().for_each(|mapping| self.mapping(mapping));
        }
    }

    fn mapping(&mut self, mapping: &Mapping) {
        self.number(mapping.start);
        self.number(mapping.end);
        let direct = mapping.backing == Backing::Direct;
        let flags = u8::from(mapping.shared) << 3
            | u8::from(direct) << 4
            | u8::from(mapping.shareable) << 5;
        self.bytes.push(mapping.protection.bits() | flags);
        match mapping.object {
            None => self.number(0),
            Some(Object::File(file)) => {
                self.number(1);
                self.number(self.file_label(usize::from(file)));
            }
            Some(Object::Segment(segment)) => {
                self.number(2);
                self.number(self.segment_label(usize::from(segment)));
            }
        }
        self.number(mapping.offset);
        self.number(mapping.granted.start);
        self.number(mapping.granted.end);
    }

    fn file(&mut self, file: &File) {
        self.bytes.push(file.kind as u8);
        match &file.path {
            Some(path) if !(self.scope.paths_alike && self.scope.reduces) => {
                self.number(path.0.len() as u64);
                self.bytes.extend_from_slice(path.0.as_bytes());
            }
            path => self.number(u64::from(path.is_some())),
        }
        self.number(file.size);
        // Where it is must stay so once it was told.
        self.number(file.memory.map_or(0, |address| address.wrapping_add(1)));
        if let Some(driver) = file.driver {
            let capabilities = driver.capabilities;
            self.number(capabilities.map_or(0, |bits| 1 + u64::from(bits.bits())));
            for answer in [driver.area, driver.mmap] {
                self.number(match answer {
                    Answer::Absent => 0,
                    Answer::Ok => 1,
                    Answer::Error(errno) => 2 + errno as u64,
                });
            }
            self.bytes
                .push(u8::from(driver.readable) | u8::from(driver.busy) << 1);
        }
        self.number(file.pages.len() as u64);
        for page in &file.pages {
            self.number(page.index.into());
            self.number(page.address.unwrap_or(0));
            self.page(&page.contents);
        }
    }

    fn segment(&mut self, number: usize) {
        let segment = &self.world.segments[number];
        match self.scope.keys_alike && self.scope.reduces {
            true => self.number(u64::from(segment.key.is_some())),
            false => self.number(segment.key.map_or(0, |key| 1 + u64::from(key))),
        }
        self.number(segment.size);
        self.number(segment.start.unwrap_or(0));
        self.number(segment.attached.into());
        self.bytes.push(u8::from(segment.removed));
        segment.pages.iter().for_each(|page| self.page(page));
    }

    fn page(&mut self, page: &Page) {
        match page {
            Page::Unknown => self.bytes.push(0),
            Page::Known(contents) => {
                self.bytes.push(1);
                self.bytes.extend_from_slice(contents);
            }
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// Whether all that is written of a file is the same. How often a driver was called is not: it is
/// only compared with how often it was before.
fn is_as(one: &File, other: &File) -> bool {
    let File {
        kind,
        path,
        size,
        pages,
        memory,
        driver,
        dead,
    } = one;
    let uncounted = |driver: Driver| Driver {
        area_calls: 0,
        mmap_calls: 0,
        close_calls: 0,
        ..driver
    };
    *kind == other.kind
        && *path == other.path
        && *size == other.size
        && *memory == other.memory
        && driver.map(uncounted) == other.driver.map(uncounted)
        && *dead == other.dead
        && *pages == other.pages
}
