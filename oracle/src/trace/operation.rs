//! Reading one operation.

use super::cursor::{Cursor, Mismatch, Token};
use super::parse::one_of;
use nommu_model::op::{
    Address, Answer, Call, Capabilities, Descriptor, Fill, MapFlags, MappingName, Mmap, OpenFlags,
    Operation, Path, Process, Protection, RemapFlags, Script, SegmentFlags, SegmentName,
    UnsupportedCall,
};
use nommu_model::outcome::Errno;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Devices whose driver takes a script.
const SCRIPTED: &[&str] = &["/dev/chr0", "/dev/chr1", "/dev/mtd0"];
/// Bytes of one component of a path at most.
const COMPONENT_LIMIT: usize = 64;

type Parsed<T> = Result<T, Mismatch>;

/// What names are bound so far.
pub struct Names {
    processes: BTreeSet<u16>,
    descriptors: BTreeSet<u16>,
    mappings: BTreeSet<u16>,
    segments: BTreeSet<u16>,
}

impl Names {
    /// Only the processes that exist at the start.
    pub fn new(processes: u16) -> Self {
        Self {
            processes: (0..processes).collect(),
            descriptors: BTreeSet::new(),
            mappings: BTreeSet::new(),
            segments: BTreeSet::new(),
        }
    }

    fn of(&mut self, sort: Sort) -> &mut BTreeSet<u16> {
        match sort {
            Sort::Process => &mut self.processes,
            Sort::Descriptor => &mut self.descriptors,
            Sort::Mapping => &mut self.mappings,
            Sort::Segment => &mut self.segments,
        }
    }
}

/// What sort of thing a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Process,
    Descriptor,
    Mapping,
    Segment,
}

impl Sort {
    fn letter(self) -> char {
        match self {
            Sort::Process => 'p',
            Sort::Descriptor => 'f',
            Sort::Mapping => 'm',
            Sort::Segment => 's',
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Sort::Process => "a process such as `p0`",
            Sort::Descriptor => "a descriptor such as `f0`",
            Sort::Mapping => "a mapping such as `m0`",
            Sort::Segment => "a segment such as `s0`",
        }
    }

    /// The number of a name of this sort.
    fn number(self, word: &str) -> Option<u16> {
        let digits = word.strip_prefix(self.letter())?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        is_plain.then(|| digits.parse().ok()).flatten()
    }
}

/// A name that a call binds.
struct Bound {
    number: u16,
    sort: Sort,
    span: Range<usize>,
}

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

struct Reader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    names: &'c mut Names,
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

    fn driver(&mut self) -> Parsed<Operation> {
        self.cursor.take();
        let mismatch =
            self.cursor
                .mismatch(one_of(&["\"/dev/chr0\"", "\"/dev/chr1\"", "\"/dev/mtd0\""]));
        let path = match self.path() {
            Ok(path) if SCRIPTED.contains(&&*path.0) => path,
            _ => return Err(mismatch),
        };
        let mut script = Script::default();
        while *self.cursor.peek() != Token::End {
            self.script_entry(&mut script)?;
        }
        Ok(Operation::Driver(path, script))
    }

    fn script_entry(&mut self, script: &mut Script) -> Parsed<()> {
        let keys = one_of(&["capabilities=", "area=", "mmap=", "read=", "busy="]);
        let mismatch = self.cursor.mismatch(keys);
        let (key, span) = self.cursor.word(&mismatch.expected)?;
        self.cursor.mark('=')?;
        let is_first = match key {
            "capabilities" => {
                let value = self.capabilities()?;
                script.capabilities.replace(value).is_none()
            }
            "area" => {
                let value = self.answer(true)?;
                script.area.replace(value).is_none()
            }
            "mmap" => {
                let value = self.answer(false)?;
                script.mmap.replace(value).is_none()
            }
            "read" => {
                let value = self.yes_or_no()?;
                script.read.replace(value).is_none()
            }
            "busy" => {
                let value = self.yes_or_no()?;
                script.busy.replace(value).is_none()
            }
            _ => return Err(mismatch),
        };
        if is_first {
            Ok(())
        } else {
            Err(once(key, span))
        }
    }

    fn capabilities(&mut self) -> Parsed<Option<Capabilities>> {
        if *self.cursor.peek() == Token::Word("default") {
            self.cursor.take();
            return Ok(None);
        }
        let words = [
            ("none", Capabilities::empty()),
            ("copy", Capabilities::COPY),
            ("direct", Capabilities::DIRECT),
            ("read", Capabilities::READ),
            ("write", Capabilities::WRITE),
            ("exec", Capabilities::EXEC),
        ];
        let mut set = Capabilities::empty();
        for flag in self.alternatives(&words)? {
            set |= flag;
        }
        Ok(Some(set))
    }

    fn answer(&mut self, may_be_absent: bool) -> Parsed<Answer> {
        let expected = if may_be_absent {
            "`ok`, `absent` or an error such as `enosys`"
        } else {
            "`ok` or an error such as `enosys`"
        };
        let mismatch = self.cursor.mismatch(expected);
        let (word, _) = self.cursor.word(expected)?;
        match word {
            "ok" => Ok(Answer::Ok),
            "absent" if may_be_absent => Ok(Answer::Absent),
            _ => Errno::from_name(word).map(Answer::Error).ok_or(mismatch),
        }
    }

    fn yes_or_no(&mut self) -> Parsed<bool> {
        let mismatch = self.cursor.mismatch("`yes` or `no`");
        match self.cursor.word(&mismatch.expected)?.0 {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(mismatch),
        }
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

    fn bind(&mut self, result: &Bound) -> Parsed<()> {
        if self.names.of(result.sort).insert(result.number) {
            return Ok(());
        }
        let letter = result.sort.letter();
        Err(Mismatch {
            span: result.span.clone(),
            found: format!("`{letter}{}`, which is bound already", result.number),
            expected: "a new name".into(),
            help: self.free_name(result.sort),
        })
    }

    /// That a name is bound, when it is used.
    fn bound(&mut self, number: u16, sort: Sort, span: Range<usize>) -> Parsed<()> {
        if self.names.of(sort).contains(&number) {
            return Ok(());
        }
        Err(Mismatch {
            span,
            found: format!("`{}{number}`, which nothing has bound", sort.letter()),
            expected: "a name that an earlier operation binds".into(),
            help: (sort == Sort::Process)
                .then(|| "`processes=` in the header says how many exist at the start".into()),
        })
    }

    fn free_name(&mut self, sort: Sort) -> Option<String> {
        let next = match self.names.of(sort).last() {
            Some(last) => last.checked_add(1)?,
            None => 0,
        };
        Some(format!("`{}{next}` is free", sort.letter()))
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

    /// The flags of mmap, and whether `anonymous` is one of them.
    fn map_flags(&mut self) -> Parsed<(MapFlags, bool)> {
        let words = [
            ("shared", Some(MapFlags::SHARED)),
            ("private", Some(MapFlags::PRIVATE)),
            ("fixed", Some(MapFlags::FIXED)),
            ("uninitialized", Some(MapFlags::UNINITIALIZED)),
            ("none", Some(MapFlags::empty())),
            ("anonymous", None),
            ("anon", None),
        ];
        let mut flags = MapFlags::empty();
        let mut is_anonymous = false;
        for flag in self.alternatives(&words)? {
            match flag {
                Some(flag) => flags |= flag,
                None => is_anonymous = true,
            }
        }
        Ok((flags, is_anonymous))
    }

    fn protection(&mut self) -> Parsed<Protection> {
        let mismatch = self
            .cursor
            .mismatch("`none` or letters of `rwx`, each at most once");
        let (word, _) = self.cursor.word(&mismatch.expected)?;
        if word == "none" {
            return Ok(Protection::empty());
        }
        let mut protection = Protection::empty();
        for letter in word.chars() {
            let bit = match letter {
                'r' => Protection::READ,
                'w' => Protection::WRITE,
                'x' => Protection::EXEC,
                _ => return Err(mismatch),
            };
            if protection.contains(bit) {
                return Err(mismatch);
            }
            protection |= bit;
        }
        Ok(protection)
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

    fn open_flags(&mut self) -> Parsed<OpenFlags> {
        self.cursor.mark(',')?;
        let words = [
            ("r", OpenFlags::READ),
            ("w", OpenFlags::WRITE),
            ("rw", OpenFlags::READ.union(OpenFlags::WRITE)),
            ("create", OpenFlags::CREATE),
            ("truncate", OpenFlags::TRUNCATE),
        ];
        let mut flags = OpenFlags::empty();
        for flag in self.alternatives(&words)? {
            flags |= flag;
        }
        if flags.intersects(OpenFlags::READ | OpenFlags::WRITE) {
            Ok(flags)
        } else {
            Err(self.cursor.mismatch(one_of(&["|r", "|w", "|rw"])))
        }
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

    /// `a|b|c`, each a choice of its own, each at most once.
    fn alternatives<T: Copy>(&mut self, choices: &[(&str, T)]) -> Parsed<Vec<T>> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let mut seen: Vec<&str> = Vec::new();
        let mut chosen = Vec::new();
        loop {
            let mismatch = self.cursor.mismatch(one_of(&words));
            let (word, span) = self.cursor.word(&mismatch.expected)?;
            let (_, choice) = choices
                .iter()
                .find(|(known, _)| *known == word)
                .ok_or(mismatch)?;
            if seen.contains(&word) {
                return Err(once(word, span));
            }
            seen.push(word);
            chosen.push(*choice);
            if !self.cursor.accept('|') {
                return Ok(chosen);
            }
        }
    }

    /// `, word` if there is more.
    fn option(&mut self, word: &str) -> Parsed<bool> {
        if !self.cursor.accept(',') {
            return Ok(false);
        }
        if *self.cursor.peek() != Token::Word(word) {
            return Err(self.cursor.mismatch(format!("`{word}`")));
        }
        self.cursor.take();
        Ok(true)
    }

    fn key(&mut self, key: &str) -> Parsed<()> {
        if *self.cursor.peek() != Token::Word(key) {
            return Err(self.cursor.mismatch(format!("`{key}=`")));
        }
        self.cursor.take();
        self.cursor.mark('=')
    }

    fn keyed(&mut self, key: &str, expected: &str) -> Parsed<u64> {
        self.key(key)?;
        self.cursor.number(expected, u64::MAX)
    }

    fn then_keyed(&mut self, key: &str, expected: &str) -> Parsed<u64> {
        self.cursor.mark(',')?;
        self.keyed(key, expected)
    }

    fn then_length(&mut self) -> Parsed<u64> {
        self.cursor.mark(',')?;
        self.cursor.number("a number of bytes", u64::MAX)
    }

    fn then_word(&mut self, expected: &str) -> Parsed<u32> {
        self.cursor.mark(',')?;
        self.small_number(expected)
    }

    fn small_number(&mut self, expected: &str) -> Parsed<u32> {
        let value = self.cursor.number(expected, u64::from(u32::MAX))?;
        Ok(u32::try_from(value).expect("it was limited"))
    }

    fn range(&mut self) -> Parsed<(Address, u64)> {
        let address = self.address()?;
        let length = self.then_length()?;
        Ok((address, length))
    }

    /// `m3+0x10` or `0x1234`.
    fn address(&mut self) -> Parsed<Address> {
        let expected = "an address such as `m0+0x1000` or `0x1000`";
        match *self.cursor.peek() {
            Token::Number(_) => {
                let address = self.cursor.number(expected, u64::MAX)?;
                Ok(Address::Absolute(address))
            }
            Token::Word(word) if Sort::Mapping.number(word).is_some() => {
                let (number, span) = self.name(Sort::Mapping)?;
                self.bound(number, Sort::Mapping, span)?;
                Ok(Address::Of(MappingName(number), self.displacement()?))
            }
            _ => Err(self.cursor.mismatch(expected)),
        }
    }

    /// What follows the name of a mapping in an address.
    fn displacement(&mut self) -> Parsed<i64> {
        let expected = "a number of bytes";
        if self.cursor.accept('+') {
            let bytes = self.cursor.number(expected, i64::MAX.unsigned_abs())?;
            Ok(0i64.wrapping_add_unsigned(bytes))
        } else if self.cursor.accept('-') {
            let bytes = self.cursor.number(expected, i64::MIN.unsigned_abs())?;
            Ok(0i64.wrapping_sub_unsigned(bytes))
        } else {
            Ok(0)
        }
    }

    /// `, "A"*16`.
    fn then_fill(&mut self) -> Parsed<Fill> {
        self.cursor.mark(',')?;
        let mismatch = self
            .cursor
            .mismatch("one quoted byte and how often, as in `\"A\"*16`")
            .help("a byte that is no printable character is written `\"\\x00\"`");
        let Token::Text(text) = *self.cursor.peek() else {
            return Err(mismatch);
        };
        let byte = unescape(text).ok_or(mismatch)?;
        self.cursor.take();
        let count = if self.cursor.accept('*') {
            self.cursor.number("a number of bytes", u64::MAX)?
        } else {
            1
        };
        Ok(Fill { byte, count })
    }

    fn path(&mut self) -> Parsed<Path> {
        let mismatch = self.cursor.mismatch("a quoted path such as `\"/ram/a\"`");
        let Token::Text(text) = *self.cursor.peek() else {
            return Err(mismatch);
        };
        if !is_path(text) {
            return Err(mismatch
                .help("`/directory` or `/directory/name`, of letters, digits, `.`, `_` and `-`"));
        }
        self.cursor.take();
        Ok(Path(Arc::from(text)))
    }

    fn process(&mut self) -> Parsed<Process> {
        let (number, span) = self.name(Sort::Process)?;
        self.bound(number, Sort::Process, span)?;
        Ok(Process(number))
    }

    fn descriptor(&mut self) -> Parsed<Descriptor> {
        let (number, span) = self.name(Sort::Descriptor)?;
        self.bound(number, Sort::Descriptor, span)?;
        Ok(Descriptor(number))
    }

    fn segment(&mut self) -> Parsed<SegmentName> {
        let (number, span) = self.name(Sort::Segment)?;
        self.bound(number, Sort::Segment, span)?;
        Ok(SegmentName(number))
    }

    /// A name of a sort, bound or not.
    fn name(&mut self, sort: Sort) -> Parsed<(u16, Range<usize>)> {
        let mismatch = self.cursor.mismatch(sort.expected());
        let (word, span) = self.cursor.word(&mismatch.expected)?;
        let number = sort.number(word).ok_or(mismatch)?;
        Ok((number, span))
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

fn once(word: &str, span: Range<usize>) -> Mismatch {
    Mismatch {
        span,
        found: format!("`{word}` a second time"),
        expected: "it at most once".into(),
        help: None,
    }
}

/// The one byte that a quoted text stands for.
fn unescape(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte @ (b' '..=b'[' | b']'..=b'~')] => Some(*byte),
        [b'\\', byte @ (b'\\' | b'"')] => Some(*byte),
        [b'\\', b'n'] => Some(b'\n'),
        [b'\\', b't'] => Some(b'\t'),
        [b'\\', b'0'] => Some(0),
        [b'\\', b'x', digits @ ..] if digits.len() == 2 => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
        }
        _ => None,
    }
}

/// Whether a text is `/directory` or `/directory/name`.
fn is_path(text: &str) -> bool {
    let Some(components) = text.strip_prefix('/') else {
        return false;
    };
    let is_component = |component: &str| {
        (1..=COMPONENT_LIMIT).contains(&component.len())
            && component != "."
            && component != ".."
            && component
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    components.split('/').count() <= 2 && components.split('/').all(is_component)
}
