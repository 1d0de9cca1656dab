//! Any trace whose names are bound before they are used.

use crate::trace::{Header, Line, PROFILES, Trace};
use nommu_model::op::{
    Address, Answer, Call, Capabilities, Descriptor, Fill, MapFlags, MappingName, Mmap, OpenFlags,
    Operation, Path, Process, Protection, RemapFlags, Script, SegmentFlags, SegmentName,
    UnsupportedCall,
};
use nommu_model::outcome::Errno;
use quickcheck::{Arbitrary, Gen};

impl Arbitrary for Trace {
    fn arbitrary(g: &mut Gen) -> Self {
        let header = header(g);
        let mut names = Names {
            processes: header.processes,
            ..Names::default()
        };
        let count = usize::arbitrary(g) % g.size();
        let lines = (0..count)
            .map(|_| Line {
                operation: names.operation(g),
                above: comments(g),
                beside: bool::arbitrary(g).then(|| comment(g)),
                place: None,
            })
            .collect();
        Trace {
            header,
            lines,
            closing: comments(g),
        }
    }
}

fn header(g: &mut Gen) -> Header {
    let page_size = 16 << (u8::arbitrary(g) % 13);
    Header {
        page_size,
        pages: 1 + u64::arbitrary(g) % (Header::WINDOW_LIMIT / page_size),
        trim: u64::arbitrary(g),
        uninitialized: bool::arbitrary(g),
        profile: g.choose(PROFILES).expect("there are some").to_string(),
        processes: 1 + u16::arbitrary(g) % Header::PROCESS_LIMIT,
        failure: u64::arbitrary(g) % 3,
    }
}

fn comments(g: &mut Gen) -> Vec<String> {
    (0..u8::arbitrary(g) % 3).map(|_| comment(g)).collect()
}

/// A comment is what is left of a line: it neither ends it nor ends in blanks.
fn comment(g: &mut Gen) -> String {
    String::arbitrary(g)
        .chars()
        .filter(|character| *character != '\n')
        .take(40)
        .collect::<String>()
        .trim_end()
        .into()
}

fn one<T: Clone>(g: &mut Gen, choices: &[T]) -> T {
    g.choose(choices).expect("there are some").clone()
}

fn fill(g: &mut Gen) -> Fill {
    Fill {
        byte: u8::arbitrary(g),
        count: u64::arbitrary(g),
    }
}

fn path(g: &mut Gen) -> Path {
    let paths = ["/ram", "/ram/a", "/disk/b.c", "/rom/_", "/dev/chr0", "/-/0"];
    Path(one(g, &paths).into())
}

/// How many names of each sort are bound.
#[derive(Default)]
struct Names {
    processes: u16,
    descriptors: u16,
    mappings: u16,
    segments: u16,
}

impl Names {
    fn operation(&mut self, g: &mut Gen) -> Operation {
        match u8::arbitrary(g) % 20 {
            0 => Operation::SetTrim(u64::arbitrary(g)),
            1 => {
                let devices = ["/dev/chr0", "/dev/chr1", "/dev/mtd0"];
                Operation::Driver(Path(one(g, &devices).into()), script(g))
            }
            _ => Operation::Call(self.process(g), self.call(g)),
        }
    }

    fn call(&mut self, g: &mut Gen) -> Call {
        loop {
            if let Some(call) = self.try_call(g) {
                return call;
            }
        }
    }

    /// One call of any kind; none when it needs a name and nothing has bound one.
    fn try_call(&mut self, g: &mut Gen) -> Option<Call> {
        Some(match u8::arbitrary(g) % 36 {
            0 => Call::Mmap(Mmap {
                address: bool::arbitrary(g).then(|| self.address(g)),
                length: u64::arbitrary(g),
                protection: Protection::from_bits_truncate(u8::arbitrary(g)),
                flags: MapFlags::from_bits_truncate(u8::arbitrary(g)),
                descriptor: self.descriptor(g),
                offset: u64::arbitrary(g),
                result: self.new_mapping(),
            }),
            1 => Call::Munmap {
                address: self.address(g),
                length: u64::arbitrary(g),
            },
            2 => Call::Mremap {
                address: self.address(g),
                old_length: u64::arbitrary(g),
                new_length: u64::arbitrary(g),
                flags: RemapFlags::from_bits_truncate(u8::arbitrary(g)),
                new_address: bool::arbitrary(g).then(|| self.address(g)),
                result: self.new_mapping(),
            },
            3 => Call::Load {
                address: self.address(g),
                length: u64::arbitrary(g),
            },
            4 => Call::Store {
                address: self.address(g),
                data: fill(g),
            },
            5 => {
                let access = [
                    OpenFlags::READ,
                    OpenFlags::WRITE,
                    OpenFlags::READ | OpenFlags::WRITE,
                ];
                Call::Open {
                    result: self.new_descriptor(),
                    path: path(g),
                    flags: one(g, &access) | OpenFlags::from_bits_truncate(u8::arbitrary(g)),
                }
            }
            6 => Call::Pipe {
                reading: self.new_descriptor(),
                writing: self.new_descriptor(),
            },
            7 => Call::Socket {
                result: self.new_descriptor(),
            },
            8 => Call::Close(self.descriptor(g)?),
            9 => Call::Dup {
                descriptor: self.descriptor(g)?,
                result: self.new_descriptor(),
            },
            10 => Call::Read {
                descriptor: self.descriptor(g)?,
                offset: u64::arbitrary(g),
                length: u64::arbitrary(g),
            },
            11 => Call::Write {
                descriptor: self.descriptor(g)?,
                offset: u64::arbitrary(g),
                data: fill(g),
            },
            12 => Call::Ftruncate {
                descriptor: self.descriptor(g)?,
                length: u64::arbitrary(g),
            },
            13 => Call::Truncate {
                path: path(g),
                length: u64::arbitrary(g),
            },
            14 => Call::Unlink(path(g)),
            15 => Call::Fork {
                result: self.new_process(),
            },
            16 => Call::Vfork {
                result: self.new_process(),
            },
            17 => Call::Clone {
                result: self.new_process(),
                shares_memory: bool::arbitrary(g),
            },
            18 => Call::Exec {
                path: path(g),
                stack: u64::arbitrary(g),
            },
            19 => Call::Exit,
            20 => Call::PtraceAttach(self.process(g)),
            21 => Call::PtraceDetach(self.process(g)),
            22 => Call::PtracePeek {
                process: self.process(g),
                address: self.address(g),
                length: u64::arbitrary(g),
            },
            23 => Call::PtracePoke {
                process: self.process(g),
                address: self.address(g),
                data: fill(g),
            },
            24 => Call::Shmget {
                result: self.new_segment(),
                key: u32::arbitrary(g),
                size: u64::arbitrary(g),
                flags: SegmentFlags::from_bits_truncate(u8::arbitrary(g)),
            },
            25 => Call::Shmat {
                segment: self.segment(g)?,
                result: self.new_mapping(),
                read_only: bool::arbitrary(g),
            },
            26 => Call::Shmdt(self.address(g)),
            27 => Call::ShmRemove(self.segment(g)?),
            28 => Call::ShmStat(self.segment(g)?),
            29 => Call::FutexWait {
                address: self.address(g),
                expected: u32::arbitrary(g),
            },
            30 => Call::FutexWake {
                address: self.address(g),
                count: u32::arbitrary(g),
            },
            31 => Call::SystemMaps {
                chunk: u64::arbitrary(g),
            },
            32 => Call::ProcessMaps {
                process: self.process(g),
                chunk: u64::arbitrary(g),
            },
            _ => Call::Unsupported {
                call: one(
                    g,
                    &[
                        UnsupportedCall::Mprotect,
                        UnsupportedCall::Msync,
                        UnsupportedCall::Mlock,
                        UnsupportedCall::Madvise,
                        UnsupportedCall::Mincore,
                    ],
                ),
                address: self.address(g),
                length: u64::arbitrary(g),
            },
        })
    }

    fn address(&self, g: &mut Gen) -> Address {
        if self.mappings == 0 || bool::arbitrary(g) {
            Address::Absolute(u64::arbitrary(g))
        } else {
            Address::Of(
                MappingName(u16::arbitrary(g) % self.mappings),
                i64::arbitrary(g),
            )
        }
    }

    fn process(&self, g: &mut Gen) -> Process {
        Process(u16::arbitrary(g) % self.processes)
    }

    fn descriptor(&self, g: &mut Gen) -> Option<Descriptor> {
        (self.descriptors > 0).then(|| Descriptor(u16::arbitrary(g) % self.descriptors))
    }

    fn segment(&self, g: &mut Gen) -> Option<SegmentName> {
        (self.segments > 0).then(|| SegmentName(u16::arbitrary(g) % self.segments))
    }

    fn new_process(&mut self) -> Process {
        self.processes += 1;
        Process(self.processes - 1)
    }

    fn new_descriptor(&mut self) -> Descriptor {
        self.descriptors += 1;
        Descriptor(self.descriptors - 1)
    }

    fn new_mapping(&mut self) -> MappingName {
        self.mappings += 1;
        MappingName(self.mappings - 1)
    }

    fn new_segment(&mut self) -> SegmentName {
        self.segments += 1;
        SegmentName(self.segments - 1)
    }
}

fn script(g: &mut Gen) -> Script {
    let errors: Vec<Answer> = Errno::ALL.iter().copied().map(Answer::Error).collect();
    let errors_or_ok = [errors, vec![Answer::Ok; 10]].concat();
    let any = [errors_or_ok.clone(), vec![Answer::Absent; 10]].concat();
    let capabilities = Capabilities::from_bits_truncate(u8::arbitrary(g));
    Script {
        capabilities: one(g, &[None, Some(None), Some(Some(capabilities))]),
        area: bool::arbitrary(g).then(|| one(g, &any)),
        mmap: bool::arbitrary(g).then(|| one(g, &errors_or_ok)),
        read: Option::arbitrary(g),
        busy: Option::arbitrary(g),
    }
}
