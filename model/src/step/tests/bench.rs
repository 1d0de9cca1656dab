//! A system that answers what a test tells it to.

use crate::observation::{
    Contents, FilePageView, FileView, MappingView, Observation, ProcessView, SegmentView, Sight,
};
use crate::op::*;
use crate::outcome::{Errno, Outcome, Value};
use crate::step::{Answer, step};
use crate::world::World;
use crate::world::config::{Config, Window};

/// Bytes of a page here: small, so that tests can write all of one.
pub(crate) const PAGE: u64 = 16;
/// Where the window starts.
pub(crate) const BASE: u64 = 0x1000;

/// The address of a page of the window.
pub(crate) const fn page(index: u64) -> u64 {
    BASE + index * PAGE
}

/// A world, and what is shown of it.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) seen: Observation,
    pub(crate) sight: Sight,
    names: u16,
}

struct Blank;

impl Contents for Blank {
    fn memory(&self, _: u64, _: &mut [u8]) -> bool {
        false
    }
    fn file(&self, _: u16, _: u64, _: &mut [u8]) -> bool {
        false
    }
}

impl Bench {
    /// Sixteen pages, the default trim watermark and two processes.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, with some of it otherwise.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            page_size: PAGE,
            window: Some(Window {
                start: BASE,
                pages: 16,
            }),
            trim: 1,
            uninitialized: false,
            processes: 2,
            deviations: Vec::new(),
        };
        change(&mut config);
        Self {
            world: World::new(config),
            seen: Observation::default(),
            sight: Sight::empty(),
            names: 0,
        }
    }

    /// The next name of a mapping, descriptor or segment.
    pub(crate) fn name(&mut self) -> u16 {
        self.names += 1;
        self.names - 1
    }

    /// Whether the answer is allowed; if not, the world is to be thrown away.
    pub(crate) fn try_step(&mut self, operation: &Operation, outcome: &Outcome) -> bool {
        self.step(operation, outcome).is_ok()
    }

    fn step(&mut self, operation: &Operation, outcome: &Outcome) -> Result<(), String> {
        let answer = Answer {
            outcome,
            seen: &self.seen,
            sight: self.sight,
            contents: &Blank,
            injected_failure: false,
        };
        assert_eq!(self.world.performable(operation), Ok(()));
        let result = step(&mut self.world, operation, &answer);
        result.map_err(|refusal| refusal.to_string())
    }

    /// The answer is allowed. One that is an error changes nothing.
    #[track_caller]
    pub(crate) fn accepts(&mut self, operation: Operation, outcome: Outcome) {
        let before = self.world.clone();
        assert_eq!(self.step(&operation, &outcome), Ok(()), "{operation:?}");
        if let Outcome::Error(_) = outcome {
            assert!(before == self.world, "a failure changed the world");
        }
        let expected = self.world.observe();
        assert_eq!(self.world.compare(&expected, Sight::all()), Ok(()));
    }

    /// The answer is refused, in these words.
    #[track_caller]
    pub(crate) fn refuses(&mut self, operation: Operation, outcome: Outcome, words: &str) {
        let before = self.world.clone();
        assert_eq!(self.step(&operation, &outcome), Err(words.to_owned()));
        self.world = before;
    }

    /// Opens a file in p0 and returns its descriptor.
    #[track_caller]
    pub(crate) fn open(&mut self, path: &str, flags: OpenFlags) -> Descriptor {
        let result = Descriptor(self.name());
        let operation = call(Call::Open {
            result,
            path: Path(path.into()),
            flags,
        });
        self.accepts(operation, done());
        result
    }

    /// A file whose pages are at these pages of the window, as a target would show it.
    pub(crate) fn shows_file(&mut self, number: u16, size: u64, pages: &[Option<u64>]) {
        self.sight |= Sight::FILE_PAGES;
        self.seen.files = vec![FileView {
            number,
            size,
            pages: (0..)
                .zip(pages)
                .filter_map(|(index, place)| {
                    let address = page((*place)?);
                    Some(FilePageView { index, address })
                })
                .collect(),
        }];
    }

    /// A segment as a target would show it.
    pub(crate) fn shows_segment(&mut self, number: u16, size: u64, start: u64) {
        self.sight |= Sight::SEGMENTS;
        self.seen.segments = vec![SegmentView {
            number,
            size,
            attached: 0,
            removed: false,
            start,
        }];
    }

    /// A process's mappings as a target would show them.
    pub(crate) fn shows_mappings(&mut self, process: u16, mappings: Vec<MappingView>) {
        self.sight |= Sight::MAPPINGS;
        self.seen.processes = vec![ProcessView {
            process: Process(process),
            mappings,
        }];
    }

    /// An anonymous mapping of p0 at a page of the window.
    #[track_caller]
    pub(crate) fn anonymous(&mut self, index: u64, pages: u64) {
        let operation = self.mmap(pages * PAGE, "rw", MapFlags::PRIVATE, None, 0);
        self.accepts(operation, at(page(index)));
    }

    /// An mmap by p0.
    pub(crate) fn mmap(
        &mut self,
        length: u64,
        letters: &str,
        flags: MapFlags,
        descriptor: Option<Descriptor>,
        offset: u64,
    ) -> Operation {
        let result = MappingName(self.name());
        call(Call::Mmap(Mmap {
            result,
            address: None,
            length,
            protection: protection(letters),
            flags,
            descriptor,
            offset,
        }))
    }
}

/// Of letters such as `rw`.
pub(crate) fn protection(letters: &str) -> Protection {
    let bit = |letter| match letter {
        'r' => Protection::READ,
        'w' => Protection::WRITE,
        'x' => Protection::EXEC,
        _ => panic!("no such protection"),
    };
    letters.chars().map(bit).collect()
}

/// A call by p0.
pub(crate) fn call(call: Call) -> Operation {
    by(0, call)
}

/// A call by a process.
pub(crate) fn by(process: u16, call: Call) -> Operation {
    Operation::Call(Process(process), call)
}

/// A munmap by p0.
pub(crate) fn munmap(address: u64, length: u64) -> Operation {
    call(Call::Munmap {
        address: Address::Absolute(address),
        length,
    })
}

/// A fill of a byte.
pub(crate) fn bytes(byte: u8, count: u64) -> Fill {
    Fill { byte, count }
}

/// A store by p0.
pub(crate) fn store(address: u64, byte: u8, count: u64) -> Operation {
    call(Call::Store {
        address: Address::Absolute(address),
        data: bytes(byte, count),
    })
}

/// A load by p0.
pub(crate) fn load(address: u64, length: u64) -> Operation {
    call(Call::Load {
        address: Address::Absolute(address),
        length,
    })
}

/// Success without a value.
pub(crate) fn done() -> Outcome {
    Outcome::Ok(Value::Done)
}

/// Success with an address.
pub(crate) fn at(address: u64) -> Outcome {
    Outcome::Ok(Value::Address(address))
}

/// Success with a count.
pub(crate) fn count(count: u64) -> Outcome {
    Outcome::Ok(Value::Count(count))
}

/// Success with bytes.
pub(crate) fn read(bytes: &[u8]) -> Outcome {
    Outcome::Ok(Value::Bytes(bytes.to_vec()))
}

/// Failure.
pub(crate) fn error(errno: Errno) -> Outcome {
    Outcome::Error(errno)
}
