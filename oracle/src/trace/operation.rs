//! Reading one operation.

use super::arguments::once;
use super::cursor::{Cursor, Mismatch, Token};
use super::names::{Bound, Names, Sort};
use super::parse::one_of;
use nommu_model::op::{
    Call, Descriptor, MappingName, Mmap, Operation, Process, RemapFlags, SegmentFlags, SegmentName,
    UnsupportedCall,
};
use std::ops::Range;

pub(super) type Parsed<T> = Result<T, Mismatch>;

/// Reads one operation and binds its names.
pub fn operation(cursor: &mut Cursor<'_>, names: &mut Names) -> Parsed<Operation> {
    let expected = "a process such as `p0`, `sysctl` or `driver`";
    let mut reader = Reader { cursor, names };
    match reader.cursor.peek() {
        Token::Word("sysctl") => reader.sysctl(),
        Token::Word("driver") => reader.driver(),
        Token::Word(word) if Sort::Process.number(word).is_some() => reader.by_process(),
        _ => Err(reader.cursor.mismatch(expected)),
    }
}

/// Reads the text at the cursor.
pub(super) struct Reader<'c, 'a> {
    pub(super) cursor: &'c mut Cursor<'a>,
    pub(super) names: &'c mut Names,
}

impl<'a> Reader<'_, 'a> {
    fn sysctl(&mut self) -> Parsed<Operation> {
        self.cursor.take();
        let name = "vm.nr_trim_pages";
        if *self.cursor.peek() != Token::Word(name) {
            return Err(self.cursor.mismatch(format!("`{name}`")));
        }
        self.cursor.take();
        self.cursor.mark('=')?;
        let pages = self.cursor.number("a number of pages", u64::MAX)?;
        Ok(Operation::SetTrim(pages))
    }

    /// `p0  m0 = mmap(...)`, `p1  = vfork(p0)`.
    fn by_process(&mut self) -> Parsed<Operation> {
        let (process, span) = self.name(Sort::Process)?;
        if self.cursor.accept('=') {
            return self.process_call(process, span);
        }
        self.bound(process, Sort::Process, span)?;
        let mut results = Vec::new();
        let mut name = self
            .cursor
            .word("a call such as `mmap` or the name of its result")?;
        while *self.cursor.peek() != Token::Mark('(') {
            results.push(self.result(name)?);
            if self.cursor.accept('=') {
                name = self.cursor.word("a call such as `mmap`")?;
                if *self.cursor.peek() != Token::Mark('(') {
                    return Err(self.cursor.mismatch("`(`"));
                }
            } else if results.len() == 2 {
                return Err(self.cursor.mismatch("`=`"));
            } else {
                name = self.cursor.word("`=`, `(` or another name")?;
            }
        }
        let call = self.call(name, &results)?;
        for result in results {
            self.bind(&result)?;
        }
        Ok(Operation::Call(Process(process), call))
    }

    /// `p1  = vfork(p0)`, from the name of the call on.
    fn process_call(&mut self, number: u16, span: Range<usize>) -> Parsed<Operation> {
        let result = Process(number);
        let mismatch = self.cursor.mismatch(one_of(&["fork", "vfork", "clone"]));
        let (call, _) = self.cursor.word(&mismatch.expected)?;
        self.cursor.mark('(')?;
        let (caller, caller_span) = self.name(Sort::Process)?;
        self.bound(caller, Sort::Process, caller_span)?;
        let call = match call {
            "fork" => Call::Fork { result },
            "vfork" => Call::Vfork { result },
            "clone" => Call::Clone {
                result,
                shares_memory: self.option("vm")?,
            },
            _ => return Err(mismatch),
        };
        self.cursor.mark(')')?;
        self.bind(&Bound {
            number,
            sort: Sort::Process,
            span,
        })?;
        Ok(Operation::Call(Process(caller), call))
    }

    fn result(&self, (word, span): (&str, Range<usize>)) -> Parsed<Bound> {
        let sorts = [Sort::Mapping, Sort::Descriptor, Sort::Segment];
        let named = sorts
            .into_iter()
            .find_map(|sort| Some((sort, sort.number(word)?)));
        match named {
            Some((sort, number)) => Ok(Bound { number, sort, span }),
            None if CALLS.contains(&word) => Err(self.cursor.mismatch("`(`")),
            None => Err(unknown_call(word, span)),
        }
    }

    /// A call's arguments, its name having been read.
    fn call(&mut self, (name, span): (&str, Range<usize>), results: &[Bound]) -> Parsed<Call> {
        if !CALLS.contains(&name) {
            return Err(unknown_call(name, span));
        }
        if matches!(name, "fork" | "vfork" | "clone") {
            return Err(Mismatch {
                span,
                found: format!("`{name}` after the name of its caller"),
                expected: format!("`p1  = {name}(p0)`"),
                help: Some("the name in front is the child's".into()),
            });
        }
        check_results(name, &span, results)?;
        let result = |index: usize| results.get(index).map_or(0, |result| result.number);
        self.cursor.mark('(')?;
        let call = match name {
            "mmap" => Call::Mmap(self.mmap(MappingName(result(0)))?),
            "munmap" => {
                let (address, length) = self.range()?;
                Call::Munmap { address, length }
            }
            "mremap" => self.mremap(MappingName(result(0)))?,
            "load" => {
                let (address, length) = self.range()?;
                Call::Load { address, length }
            }
            "store" => {
                let address = self.address()?;
                let data = self.then_fill()?;
                Call::Store { address, data }
            }
            "open" => Call::Open {
                result: Descriptor(result(0)),
                path: self.path()?,
                flags: self.open_flags()?,
            },
            "pipe" => Call::Pipe {
                reading: Descriptor(result(0)),
                writing: Descriptor(result(1)),
            },
            "socket" => Call::Socket {
                result: Descriptor(result(0)),
            },
            "close" => Call::Close(self.descriptor()?),
            "dup" => Call::Dup {
                result: Descriptor(result(0)),
                descriptor: self.descriptor()?,
            },
            "read" => Call::Read {
                descriptor: self.descriptor()?,
                offset: self.then_keyed("off", "a byte offset")?,
                length: self.then_keyed("len", "a number of bytes")?,
            },
            "write" => Call::Write {
                descriptor: self.descriptor()?,
                offset: self.then_keyed("off", "a byte offset")?,
                data: self.then_fill()?,
            },
            "ftruncate" => Call::Ftruncate {
                descriptor: self.descriptor()?,
                length: self.then_length()?,
            },
            "truncate" => Call::Truncate {
                path: self.path()?,
                length: self.then_length()?,
            },
            "unlink" => Call::Unlink(self.path()?),
            "exec" => Call::Exec {
                path: self.path()?,
                stack: if *self.cursor.peek() == Token::Mark(',') {
                    self.then_keyed("stack", "a number of bytes")?
                } else {
                    0
                },
            },
            "exit" => Call::Exit,
            "ptrace_attach" => Call::PtraceAttach(self.process()?),
            "ptrace_detach" => Call::PtraceDetach(self.process()?),
            "ptrace_peek" => {
                let process = self.process()?;
                self.cursor.mark(',')?;
                let (address, length) = self.range()?;
                Call::PtracePeek {
                    process,
                    address,
                    length,
                }
            }
            "ptrace_poke" => {
                let process = self.process()?;
                self.cursor.mark(',')?;
                let address = self.address()?;
                let data = self.then_fill()?;
                Call::PtracePoke {
                    process,
                    address,
                    data,
                }
            }
            "shmget" => self.shmget(SegmentName(result(0)))?,
            "shmat" => Call::Shmat {
                result: MappingName(result(0)),
                segment: self.segment()?,
                read_only: self.option("readonly")?,
            },
            "shmdt" => Call::Shmdt(self.address()?),
            "shmctl" => {
                let segment = self.segment()?;
                self.cursor.mark(',')?;
                let mismatch = self.cursor.mismatch(one_of(&["remove", "stat"]));
                match self.cursor.word(&mismatch.expected)?.0 {
                    "remove" => Call::ShmRemove(segment),
                    "stat" => Call::ShmStat(segment),
                    _ => return Err(mismatch),
                }
            }
            "futex_wait" => Call::FutexWait {
                address: self.address()?,
                expected: self.then_word("the value of a word")?,
            },
            "futex_wake" => Call::FutexWake {
                address: self.address()?,
                count: self.then_word("a number of waiters")?,
            },
            "maps" => self.maps()?,
            _ => {
                let call = unsupported(name).expect("CALLS has no other name");
                let (address, length) = self.range()?;
                Call::Unsupported {
                    call,
                    address,
                    length,
                }
            }
        };
        self.cursor.mark(')')?;
        Ok(call)
    }

    fn mmap(&mut self, result: MappingName) -> Parsed<Mmap> {
        let mut address = None;
        let mut length = None;
        let mut protection = None;
        let mut flags = None;
        let mut descriptor = None;
        let mut offset = None;
        let keys = ["addr=", "len=", "prot=", "flags=", "fd=", "off="];
        loop {
            let mismatch = self.cursor.mismatch(one_of(&keys));
            let (key, span) = self.cursor.word(&mismatch.expected)?;
            self.cursor.mark('=')?;
            let is_first = match key {
                "addr" => address.replace(self.address()?).is_none(),
                "len" => {
                    let bytes = self.cursor.number("a number of bytes", u64::MAX)?;
                    length.replace(bytes).is_none()
                }
                "prot" => protection.replace(self.protection()?).is_none(),
                "flags" => {
                    let at = self.cursor.span();
                    flags.replace((self.map_flags()?, at)).is_none()
                }
                "fd" => descriptor.replace(self.descriptor()?).is_none(),
                "off" => {
                    let bytes = self.cursor.number("a byte offset", u64::MAX)?;
                    offset.replace(bytes).is_none()
                }
                _ => return Err(mismatch),
            };
            if !is_first {
                return Err(once(key, span));
            }
            if !self.cursor.accept(',') {
                break;
            }
        }
        let missing = |key: &str| self.cursor.mismatch(format!("`, {key}=`"));
        let length = length.ok_or_else(|| missing("len"))?;
        let protection = protection.ok_or_else(|| missing("prot"))?;
        let ((flags, is_anonymous), flags_span) = flags.ok_or_else(|| missing("flags"))?;
        if is_anonymous && descriptor.is_some() {
            return Err(Mismatch {
                span: flags_span,
                found: "`anonymous` together with `fd=`".into(),
                expected: "one of them".into(),
                help: Some("memory is anonymous where there is no `fd=`".into()),
            });
        }
        Ok(Mmap {
            result,
            address,
            length,
            protection,
            flags,
            descriptor,
            offset: offset.unwrap_or(0),
        })
    }

    fn mremap(&mut self, result: MappingName) -> Parsed<Call> {
        let address = self.address()?;
        let old_length = self.then_length()?;
        let new_length = self.then_length()?;
        let mut flags = RemapFlags::empty();
        let mut new_address = None;
        if self.cursor.accept(',') {
            let words = [
                ("maymove", RemapFlags::MAYMOVE),
                ("fixed", RemapFlags::FIXED),
                ("none", RemapFlags::empty()),
            ];
            for flag in self.alternatives(&words)? {
                flags |= flag;
            }
            if *self.cursor.peek() == Token::Mark(',') {
                self.cursor.take();
                self.key("to")?;
                new_address = Some(self.address()?);
            }
        }
        Ok(Call::Mremap {
            result,
            address,
            old_length,
            new_length,
            flags,
            new_address,
        })
    }

    fn shmget(&mut self, result: SegmentName) -> Parsed<Call> {
        self.key("key")?;
        let key = if *self.cursor.peek() == Token::Word("private") {
            self.cursor.take();
            0
        } else {
            self.small_number("`private` or a number")?
        };
        let size = self.then_keyed("size", "a number of bytes")?;
        let mut flags = SegmentFlags::empty();
        if self.cursor.accept(',') {
            let words = [
                ("create", SegmentFlags::CREATE),
                ("exclusive", SegmentFlags::EXCLUSIVE),
            ];
            for flag in self.alternatives(&words)? {
                flags |= flag;
            }
        }
        Ok(Call::Shmget {
            result,
            key,
            size,
            flags,
        })
    }

    fn maps(&mut self) -> Parsed<Call> {
        match self.cursor.peek() {
            Token::Mark(')') => Ok(Call::SystemMaps { chunk: 0 }),
            Token::Word("chunk") => {
                let chunk = self.keyed("chunk", "a number of bytes")?;
                Ok(Call::SystemMaps { chunk })
            }
            Token::Word(_) => {
                let process = self.process()?;
                let chunk = if *self.cursor.peek() == Token::Mark(',') {
                    self.then_keyed("chunk", "a number of bytes")?
                } else {
                    0
                };
                Ok(Call::ProcessMaps { process, chunk })
            }
            _ => Err(self
                .cursor
                .mismatch("`)`, a process such as `p0`, or `chunk=`")),
        }
    }
}

/// Every call, in the order of [`Call`].
const CALLS: &[&str] = &[
    "mmap",
    "munmap",
    "mremap",
    "load",
    "store",
    "open",
    "pipe",
    "socket",
    "close",
    "dup",
    "read",
    "write",
    "ftruncate",
    "truncate",
    "unlink",
    "fork",
    "vfork",
    "clone",
    "exec",
    "exit",
    "ptrace_attach",
    "ptrace_detach",
    "ptrace_peek",
    "ptrace_poke",
    "shmget",
    "shmat",
    "shmdt",
    "shmctl",
    "futex_wait",
    "futex_wake",
    "maps",
    "mprotect",
    "msync",
    "mlock",
    "madvise",
    "mincore",
];

fn unsupported(name: &str) -> Option<UnsupportedCall> {
    Some(match name {
        "mprotect" => UnsupportedCall::Mprotect,
        "msync" => UnsupportedCall::Msync,
        "mlock" => UnsupportedCall::Mlock,
        "madvise" => UnsupportedCall::Madvise,
        "mincore" => UnsupportedCall::Mincore,
        _ => return None,
    })
}

/// That a call binds as many names as it makes things, each of the right sort.
fn check_results(name: &str, span: &Range<usize>, results: &[Bound]) -> Parsed<()> {
    let wanted: &[Sort] = match name {
        "mmap" | "mremap" | "shmat" => &[Sort::Mapping],
        "open" | "socket" | "dup" => &[Sort::Descriptor],
        "pipe" => &[Sort::Descriptor, Sort::Descriptor],
        "shmget" => &[Sort::Segment],
        _ => &[],
    };
    let shape = match wanted {
        [] => "no name before it".into(),
        [one] => format!("`{}0 = {name}`", one.letter()),
        _ => format!("`f0 f1 = {name}`"),
    };
    for (result, sort) in results.iter().zip(wanted) {
        if result.sort != *sort {
            return Err(Mismatch {
                span: result.span.clone(),
                found: format!("`{}{}`", result.sort.letter(), result.number),
                expected: sort.expected().into(),
                help: None,
            });
        }
    }
    if results.len() == wanted.len() {
        return Ok(());
    }
    let span = results
        .get(wanted.len())
        .map_or(span.clone(), |extra| extra.span.clone());
    Err(Mismatch {
        span,
        found: format!(
            "{} before `{name}`",
            match results.len() {
                0 => "no name".into(),
                1 => "a name".into(),
                count => format!("{count} names"),
            }
        ),
        expected: shape,
        help: None,
    })
}

fn unknown_call(name: &str, span: Range<usize>) -> Mismatch {
    let nearest = CALLS
        .iter()
        .map(|call| (strsim::jaro_winkler(call, name), call))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    Mismatch {
        span,
        found: format!("`{name}`"),
        expected: "a call such as `mmap`".into(),
        help: Some(match nearest {
            Some((_, call)) => format!("there is a call `{call}`"),
            None => format!("the calls are {}", CALLS.join(", ")),
        }),
    }
}
