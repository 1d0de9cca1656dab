//! Ways in which an implementation could have done something else than it did.

use nommu_model::observation::{
    Contents, DriverView, FreeBlock, MappingView, Object, Observation, RegionView,
};
use nommu_model::op::{Call, MapFlags, Mmap, Operation, Process, Protection};
use nommu_model::outcome::{Errno, Outcome, Value};
use nommu_model::world::World;
use nommu_model::world::region::Origin;

/// Where a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Memory at this address.
    Memory(u64),
    /// A file's: its number, and the byte offset.
    File(u16, u64),
}

/// Something done otherwise.
#[derive(Clone, Debug)]
pub enum Tampering {
    /// Another answer; what was done is the same.
    Outcome(Outcome),
    /// Another answer, and nothing was done.
    Nothing(Outcome),
    /// The same answer, and this is to be seen.
    Seen(String, Box<Observation>),
    /// Another answer, and this is to be seen.
    Other(String, Outcome, Box<Observation>),
    /// The same, but a byte of memory or of a file differs.
    Byte(Place),
    /// What cannot be seen directly is not what it should be.
    Hidden(&'static str, fn(&mut World)),
}

impl std::fmt::Display for Tampering {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Tampering::Outcome(outcome) => write!(formatter, "the answer is {outcome:?}"),
            Tampering::Nothing(outcome) => {
                write!(formatter, "the answer is {outcome:?}, and nothing was done")
            }
            Tampering::Seen(what, _) | Tampering::Other(what, ..) => formatter.write_str(what),
            Tampering::Byte(place) => write!(formatter, "the byte at {place:x?} differs"),
            Tampering::Hidden(what, _) => formatter.write_str(what),
        }
    }
}

/// All of them for one step: what was answered, and what was seen before and after it.
pub fn tamperings(
    before: &World,
    world: &World,
    operation: &Operation,
    outcome: &Outcome,
    last: &Observation,
    seen: &Observation,
) -> Vec<Tampering> {
    let mut all = Vec::new();
    let others = outcomes(world, outcome);
    all.extend(others.iter().cloned().map(Tampering::Outcome));
    all.extend(others.into_iter().map(Tampering::Nothing));
    all.push(Tampering::Nothing(outcome.clone()));
    let mut see = |what: String, change: &dyn Fn(&mut Observation)| {
        let mut changed = seen.clone();
        change(&mut changed);
        if changed != *seen {
            all.push(Tampering::Seen(what, Box::new(changed)));
        }
    };
    stale(last, &mut see);
    mappings(world.page_size(), seen, &mut see);
    regions(world.page_size(), seen, &mut see);
    free(world.page_size(), seen, &mut see);
    objects(world.page_size(), seen, &mut see);
    if let Operation::Call(process, Call::Mmap(mmap)) = operation {
        placed(before, *process, mmap, outcome, (last, seen), &mut all);
    }
    all.extend(bytes(world).into_iter().map(Tampering::Byte));
    all.extend(hidden());
    all
}

/// Mappings made elsewhere than they were, or although they should not have been: on memory
/// that is mapped already, on the object itself, as a copy, a page further.
fn placed(
    before: &World,
    process: Process,
    mmap: &Mmap,
    outcome: &Outcome,
    (last, seen): (&Observation, &Observation),
    all: &mut Vec<Tampering>,
) {
    let page = before.page_size();
    let Some(pages) = before
        .config
        .pages(mmap.length)
        .filter(|pages| (1..64).contains(pages))
    else {
        return;
    };
    let length = pages * page;
    let opened = mmap
        .descriptor
        .and_then(|descriptor| before.opened(process, descriptor));
    let file = opened.and_then(|opened| Some((opened.open.target.file()?, opened.file?)));
    let object = file.map(|(number, _)| Object::File(number.0));
    let mapping = MappingView {
        start: 0,
        end: length,
        protection: mmap.protection,
        shared: object.is_some() && mmap.flags.contains(MapFlags::SHARED),
        object,
        offset: if object.is_some() { mmap.offset } else { 0 },
    };
    let mut without = last.clone();
    without.drivers.clone_from(&seen.drivers);
    let Some(place) = without
        .processes
        .iter()
        .position(|view| view.process == process)
    else {
        return;
    };
    let mut put = |what: String, start: u64, region: Option<RegionView>| {
        let mut changed = without.clone();
        let mappings = &mut changed.processes[place].mappings;
        mappings.push(MappingView {
            start,
            end: start + length,
            ..mapping
        });
        mappings.sort();
        match region {
            Some(region) => {
                let mut at = region.start;
                while at < region.top {
                    take(page, &mut changed.free, at);
                    at += page;
                }
                changed.regions.push(region);
                changed.regions.sort();
            }
            None => {
                for region in &mut changed.regions {
                    region.users += u32::from(region.start <= start && start < region.end);
                }
            }
        }
        let outcome = Outcome::Ok(Value::Address(start));
        all.push(Tampering::Other(what, outcome, Box::new(changed)));
    };
    let was = match outcome {
        Outcome::Ok(Value::Address(address)) => Some(*address),
        _ => None,
    };
    // On what is mapped already.
    let known = last.processes.iter().flat_map(|view| &view.mappings);
    for start in known
        .map(|mapping| mapping.start)
        .filter(|start| Some(*start) != was)
    {
        put(
            format!("it is on what is mapped at {start:#x}"),
            start,
            None,
        );
        put(
            format!("it is a page into what is mapped at {start:#x}"),
            start + page,
            None,
        );
    }
    // On the object itself.
    let index = mmap.offset / page;
    let own = file.and_then(|(_, file)| match file.memory {
        Some(memory) => memory.checked_add(mmap.offset),
        None => file.page(index)?.address,
    });
    if let Some(start) = own.filter(|start| Some(*start) != was && *start < 1 << 48) {
        put("it is on the object itself".to_owned(), start, None);
    }
    if let Some(start) = own.filter(|start| *start < 1 << 48) {
        put(
            "it is on another page of the object".to_owned(),
            start + page,
            None,
        );
    }
    // In memory of its own: at each place that is free.
    for block in &last.free {
        for start in [block.start, block.start + page] {
            let region = RegionView {
                start,
                end: start + length,
                top: start + length,
                protection: mmap.protection,
                object,
                offset: mapping.offset,
                copy: true,
                users: 1,
            };
            if Some(start) != was {
                put(
                    format!("it has memory of its own at {start:#x}"),
                    start,
                    Some(region),
                );
            }
            let larger = RegionView {
                top: region.top + page,
                ..region
            };
            put(
                format!("it has memory of its own at {start:#x} and keeps a page"),
                start,
                Some(larger),
            );
        }
    }
}

type See<'a> = dyn FnMut(String, &dyn Fn(&mut Observation)) + 'a;

fn outcomes(world: &World, outcome: &Outcome) -> Vec<Outcome> {
    let page = world.page_size();
    let mut others: Vec<Outcome> = Errno::ALL.iter().copied().map(Outcome::Error).collect();
    others.push(Outcome::Crash("it died".to_owned()));
    let mut addresses = vec![0, page, 1 << 40, (1 << 40) + 1];
    let mut ok = vec![
        Value::Done,
        Value::Count(0),
        Value::Count(1),
        Value::Bytes(Vec::new()),
    ];
    match outcome {
        Outcome::Ok(Value::Address(address)) => {
            addresses.extend([address + 1, address + page, address.wrapping_sub(page)]);
        }
        Outcome::Ok(Value::Count(count)) => {
            ok.extend([count + 1, count.saturating_sub(1)].map(Value::Count))
        }
        Outcome::Ok(Value::Bytes(bytes)) if !bytes.is_empty() => {
            for place in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut changed = bytes.clone();
                changed[place] ^= 0x5a;
                ok.push(Value::Bytes(changed));
            }
            ok.push(Value::Bytes(bytes[1..].to_vec()));
            ok.push(Value::Bytes([bytes.as_slice(), &[7]].concat()));
        }
        Outcome::Ok(Value::Mappings(mappings)) => {
            for place in 0..mappings.len() {
                let mut changed = mappings.clone();
                changed.remove(place);
                ok.push(Value::Mappings(changed.clone()));
                changed.extend([mappings[place], mappings[place]]);
                ok.push(Value::Mappings(changed));
            }
        }
        Outcome::Ok(Value::Regions(regions)) => {
            for place in 0..regions.len() {
                let mut changed = regions.clone();
                changed.remove(place);
                ok.push(Value::Regions(changed.clone()));
                changed.extend([regions[place], regions[place]]);
                ok.push(Value::Regions(changed));
            }
        }
        Outcome::Ok(Value::Segment { size, attached }) => {
            ok.push(Value::Segment {
                size: size + 1,
                attached: *attached,
            });
            ok.push(Value::Segment {
                size: *size,
                attached: attached + 1,
            });
        }
        _ => {}
    }
    addresses.extend(world.regions.iter().map(|region| region.start));
    for space in world.spaces.iter() {
        addresses.extend(space.mappings.iter().map(|mapping| mapping.start));
    }
    addresses.sort_unstable();
    addresses.dedup();
    ok.extend(addresses.into_iter().map(Value::Address));
    others.extend(ok.into_iter().map(Outcome::Ok));
    others.retain(|other| other != outcome);
    others
}

/// Parts that did not follow the call.
fn stale(last: &Observation, see: &mut See<'_>) {
    see("the mappings are as before".to_owned(), &|seen| {
        seen.processes.clone_from(&last.processes)
    });
    see("the regions are as before".to_owned(), &|seen| {
        seen.regions.clone_from(&last.regions);
        seen.free.clone_from(&last.free);
    });
    see("the free memory is as before".to_owned(), &|seen| {
        seen.free.clone_from(&last.free)
    });
    see("the files are as before".to_owned(), &|seen| {
        seen.files.clone_from(&last.files)
    });
    see("the segments are as before".to_owned(), &|seen| {
        seen.segments.clone_from(&last.segments)
    });
    see("the drivers are as before".to_owned(), &|seen| {
        seen.drivers.clone_from(&last.drivers)
    });
    see("only the mappings changed".to_owned(), &|seen| {
        *seen = Observation {
            processes: seen.processes.clone(),
            ..last.clone()
        };
    });
}

const PROTECTIONS: [Protection; 3] = [Protection::READ, Protection::WRITE, Protection::EXEC];

fn mappings(page: u64, seen: &Observation, see: &mut See<'_>) {
    for (which, process) in seen.processes.iter().enumerate() {
        let name = process.process.0;
        see(format!("p{name} is gone"), &|seen| {
            seen.processes.remove(which);
        });
        for (place, mapping) in process.mappings.iter().enumerate() {
            let mut change = |what: &str, change: &dyn Fn(&mut MappingView)| {
                see(
                    format!("p{name}: the mapping at {:#x} {what}", mapping.start),
                    &|seen| {
                        change(&mut seen.processes[which].mappings[place]);
                    },
                );
            };
            change("begins a page later", &|mapping| {
                mapping.start = mapping.start.wrapping_add(page)
            });
            change("begins a page earlier", &|mapping| {
                mapping.start = mapping.start.wrapping_sub(page)
            });
            change("is a page further", &|mapping| {
                mapping.start = mapping.start.wrapping_add(page);
                mapping.end = mapping.end.wrapping_add(page);
            });
            change("ends a page later", &|mapping| {
                mapping.end = mapping.end.wrapping_add(page)
            });
            change("ends a page earlier", &|mapping| {
                mapping.end = mapping.end.wrapping_sub(page)
            });
            change("is shared or private", &|mapping| mapping.shared ^= true);
            change("is anonymous", &|mapping| mapping.object = None);
            change("is of another file", &|mapping| {
                mapping.object = Some(Object::File(4))
            });
            change("has another offset", &|mapping| {
                mapping.offset = mapping.offset.wrapping_add(page)
            });
            for protection in PROTECTIONS {
                change("has another protection", &|mapping| {
                    mapping.protection ^= protection
                });
            }
            let at = format!("p{name}: the mapping at {:#x}", mapping.start);
            see(format!("{at} is gone"), &|seen| {
                seen.processes[which].mappings.remove(place);
            });
            see(format!("{at} is there twice"), &|seen| {
                seen.processes[which].mappings.insert(place, *mapping);
            });
        }
    }
    see("there is a process more".to_owned(), &|seen| {
        let mut more = seen.processes.first().cloned().unwrap_or_else(nobody);
        more.process = Process(seen.processes.len() as u16);
        seen.processes.push(more);
    });
}

fn nobody() -> nommu_model::observation::ProcessView {
    nommu_model::observation::ProcessView {
        process: Process(0),
        mappings: Vec::new(),
    }
}

fn regions(page: u64, seen: &Observation, see: &mut See<'_>) {
    for (place, region) in seen.regions.iter().enumerate() {
        let at = format!("the region at {:#x}", region.start);
        let mut change = |what: &str, change: &dyn Fn(&mut RegionView)| {
            see(format!("{at} {what}"), &|seen| {
                change(&mut seen.regions[place])
            });
        };
        change("ends a page later", &|region| {
            region.end = region.end.wrapping_add(page)
        });
        change("ends a page earlier", &|region| {
            region.end = region.end.wrapping_sub(page)
        });
        change("keeps a page more", &|region| {
            region.top = region.top.wrapping_add(page)
        });
        change("keeps a page less", &|region| {
            region.top = region.top.wrapping_sub(page)
        });
        change("has a user more", &|region| region.users += 1);
        change("has a user less", &|region| {
            region.users = region.users.saturating_sub(1)
        });
        change("is a copy or not", &|region| region.copy ^= true);
        change("has another offset", &|region| {
            region.offset = region.offset.wrapping_add(page)
        });
        change("is anonymous", &|region| region.object = None);
        change("is of another file", &|region| {
            region.object = Some(Object::File(4))
        });
        change("begins a page later", &|region| {
            region.start = region.start.wrapping_add(page)
        });
        for protection in PROTECTIONS {
            change("has another protection", &|region| {
                region.protection ^= protection
            });
        }
        see(format!("{at} is gone"), &|seen| {
            seen.regions.remove(place);
        });
        // An excess that was given back, or kept.
        see(
            format!("{at} keeps a page more, which is not free then"),
            &|seen| {
                seen.regions[place].top = region.top.wrapping_add(page);
                take(page, &mut seen.free, region.top);
            },
        );
        see(format!("{at} keeps nothing"), &|seen| {
            seen.regions[place].top = region.end;
            let mut start = region.end;
            while start < region.top {
                seen.free.push(FreeBlock { start, order: 0 });
                start += page;
            }
            seen.free.sort();
        });
    }
}

/// Takes a page out of the free blocks, which fall apart around it.
fn take(page: u64, free: &mut Vec<FreeBlock>, address: u64) {
    while let Some(place) = free
        .iter()
        .position(|block| block.start <= address && address < block.start + (page << block.order))
    {
        let block = free.remove(place);
        if block.order == 0 {
            return;
        }
        let order = block.order - 1;
        free.insert(
            place,
            FreeBlock {
                start: block.start + (page << order),
                order,
            },
        );
        free.insert(
            place,
            FreeBlock {
                start: block.start,
                order,
            },
        );
    }
}

fn free(page: u64, seen: &Observation, see: &mut See<'_>) {
    for (place, block) in seen.free.iter().enumerate() {
        let at = format!("the free block at {:#x}", block.start);
        see(format!("{at} is lost"), &|seen| {
            seen.free.remove(place);
        });
        see(format!("{at} is larger"), &|seen| {
            seen.free[place].order += 1
        });
        if block.order > 0 {
            see(format!("{at} is in halves"), &|seen| {
                let order = block.order - 1;
                seen.free[place].order = order;
                let start = block.start + (page << order);
                seen.free.insert(place + 1, FreeBlock { start, order });
            });
        }
    }
    see("a page more is allocated".to_owned(), &|seen| {
        seen.copied_pages += 1
    });
}

fn objects(page: u64, seen: &Observation, see: &mut See<'_>) {
    for (place, file) in seen.files.iter().enumerate() {
        let number = file.number;
        see(format!("file {number} is gone"), &|seen| {
            seen.files.remove(place);
        });
        see(format!("file {number} is longer"), &|seen| {
            seen.files[place].size += page
        });
        see(format!("file {number} is a byte shorter"), &|seen| {
            seen.files[place].size = file.size.saturating_sub(1);
        });
        for index in 0..file.pages.len().min(4) {
            let which = format!("page {index} of file {number}");
            see(format!("{which} is missing"), &|seen| {
                seen.files[place].pages.remove(index);
            });
            see(format!("{which} is elsewhere"), &|seen| {
                if let Some(block) = seen.free.first().copied() {
                    take(page, &mut seen.free, block.start);
                    seen.files[place].pages[index].address = block.start;
                }
            });
            see(format!("{which} is where another is"), &|seen| {
                if let Some(region) = seen.regions.first() {
                    seen.files[place].pages[index].address = region.start;
                }
            });
        }
    }
    for (place, segment) in seen.segments.iter().enumerate() {
        let number = segment.number;
        see(format!("segment {number} is gone"), &|seen| {
            seen.segments.remove(place);
        });
        see(format!("segment {number} has one more attached"), &|seen| {
            seen.segments[place].attached += 1
        });
        see(format!("segment {number} has one less attached"), &|seen| {
            seen.segments[place].attached = segment.attached.saturating_sub(1);
        });
        see(format!("segment {number} is removed or not"), &|seen| {
            seen.segments[place].removed ^= true
        });
        see(format!("segment {number} has another size"), &|seen| {
            seen.segments[place].size += page
        });
        see(format!("segment {number} is elsewhere"), &|seen| {
            seen.segments[place].start += page
        });
    }
    for (place, driver) in seen.drivers.iter().enumerate() {
        let number = driver.number;
        let mut change = |what: &str, change: &dyn Fn(&mut DriverView)| {
            see(format!("device {number}: {what}"), &|seen| {
                change(&mut seen.drivers[place])
            });
        };
        change("asked once more for an address", &|driver| {
            driver.area_calls += 1
        });
        change("asked once less for an address", &|driver| {
            driver.area_calls = driver.area_calls.saturating_sub(1)
        });
        change("asked once more to map", &|driver| driver.mmap_calls += 1);
        change("asked once less to map", &|driver| {
            driver.mmap_calls = driver.mmap_calls.saturating_sub(1)
        });
        change("told once more of the end", &|driver| {
            driver.close_calls += 1
        });
        change("told once less of the end", &|driver| {
            driver.close_calls = driver.close_calls.saturating_sub(1)
        });
    }
}

/// The first and the last byte of all that is mapped, and of files.
fn bytes(world: &World) -> Vec<Place> {
    let page = world.page_size();
    let mut places = Vec::new();
    for region in world.regions.iter() {
        let mut start = region.start;
        while start < region.end {
            places.extend([Place::Memory(start), Place::Memory(start + page - 1)]);
            start += page;
        }
    }
    for (number, file) in (0..).zip(world.files.iter()).filter(|(_, file)| !file.dead) {
        for file_page in file.pages.iter().take(4) {
            places.push(match file_page.address {
                Some(address) => Place::Memory(address),
                None => Place::File(number, u64::from(file_page.index) * page),
            });
            places.extend(
                file_page
                    .address
                    .map(|address| Place::Memory(address + page - 1)),
            );
        }
    }
    for segment in world.segments.iter().filter(|segment| !segment.dead) {
        places.extend(segment.start.map(Place::Memory));
        let last = segment.pages.len() as u64 * page;
        places.extend(segment.start.map(|start| Place::Memory(start + last - 1)));
    }
    places
}

fn hidden() -> Vec<Tampering> {
    vec![
        Tampering::Hidden("the watermark is another", |world| world.config.trim += 1),
        Tampering::Hidden("descriptors are gone", |world| {
            for process in world.processes.iter_mut() {
                process.descriptors.clear();
            }
        }),
        Tampering::Hidden("nobody waits", |world| {
            for process in world.processes.iter_mut() {
                process.waits_for = None;
            }
        }),
        Tampering::Hidden("nobody is traced", |world| {
            for process in world.processes.iter_mut() {
                process.tracer = None;
            }
        }),
        Tampering::Hidden("everybody is traced", |world| {
            for process in world.processes.iter_mut() {
                process.tracer = Some(Process(0));
            }
        }),
        Tampering::Hidden("everybody is alive", |world| {
            for process in world.processes.iter_mut() {
                process.alive = true;
            }
        }),
        Tampering::Hidden(
            "copies are offered that were not, and the reverse",
            |world| {
                for region in world.regions.iter_mut() {
                    if let Origin::Copy { reusable, .. } = &mut region.origin {
                        *reusable ^= true;
                    }
                }
            },
        ),
        Tampering::Hidden(
            "mappings are offered that were not, and the reverse",
            |world| {
                for space in world.spaces.iter_mut() {
                    for mapping in &mut space.mappings {
                        mapping.shareable ^= true;
                    }
                }
            },
        ),
        Tampering::Hidden("drivers forgot their script", |world| {
            for file in world.files.iter_mut() {
                if let Some(driver) = &mut file.driver {
                    driver.busy ^= true;
                    driver.readable ^= true;
                }
            }
        }),
    ]
}

/// A target's contents with one byte that differs.
pub struct Flipped<'a> {
    /// What they are without.
    pub contents: &'a dyn Contents,
    /// Where.
    pub place: Option<Place>,
}

impl Contents for Flipped<'_> {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        if let Some(Place::Memory(place)) = self.place
            && let Some(byte) = place.checked_sub(address)
            && let shown = self.contents.memory(address, bytes)
            && let Some(byte) = bytes.get_mut(byte as usize)
        {
            *byte ^= 0x5a;
            return shown;
        }
        self.contents.memory(address, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let shown = self.contents.file(number, offset, bytes);
        if let Some(Place::File(file, place)) = self.place
            && file == number
            && let Some(byte) = place.checked_sub(offset)
            && let Some(byte) = bytes.get_mut(byte as usize)
        {
            *byte ^= 0x5a;
        }
        shown
    }
}
