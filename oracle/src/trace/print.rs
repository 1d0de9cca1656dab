//! The canonical form: sizes, addresses and offsets in hexadecimal, flags in one order,
//! what is absent left out.

use super::{Line, Trace};
use nommu_model::op::{
    Address, Answer, Call, Capabilities, Fill, MapFlags, Mmap, OpenFlags, Operation, Process,
    Protection, RemapFlags, Script, SegmentFlags, UnsupportedCall,
};
use std::fmt::{Display, Formatter, Result, Write};

/// Writes a part of the vocabulary as a trace does.
#[derive(Clone, Copy, Debug)]
pub struct Text<T>(pub T);

impl Display for Trace {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.header)?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        write_comments(f, &self.closing)
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write_comments(f, &self.above)?;
        write!(f, "{}", Text(&self.operation))?;
        match &self.beside {
            Some(text) if text.is_empty() => f.write_str("  #"),
            Some(text) => write!(f, "  # {text}"),
            None => Ok(()),
        }
    }
}

fn write_comments(f: &mut Formatter<'_>, comments: &[String]) -> Result {
    for comment in comments {
        if comment.is_empty() {
            f.write_str("#\n")?;
        } else {
            writeln!(f, "# {comment}")?;
        }
    }
    Ok(())
}

impl Display for Text<&Operation> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Operation::Call(caller, call) => write_call(f, *caller, call),
            Operation::SetTrim(pages) => write!(f, "sysctl vm.nr_trim_pages={pages}"),
            Operation::Driver(path, script) => {
                write!(f, "driver \"{}\"{}", path.0, Text(script))
            }
        }
    }
}

fn write_call(f: &mut Formatter<'_>, Process(caller): Process, call: &Call) -> Result {
    match call {
        Call::Fork { result } => return write!(f, "p{}  = fork(p{caller})", result.0),
        Call::Vfork { result } => return write!(f, "p{}  = vfork(p{caller})", result.0),
        Call::Clone {
            result,
            shares_memory,
        } => {
            let vm = if *shares_memory { ", vm" } else { "" };
            return write!(f, "p{}  = clone(p{caller}{vm})", result.0);
        }
        _ => {}
    }
    write!(f, "p{caller}  {}", Text(call))
}

impl Display for Text<&Call> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Call::Mmap(mmap) => write!(f, "m{} = mmap({})", mmap.result.0, Text(mmap)),
            Call::Munmap { address, length } => {
                write!(f, "munmap({}, {length:#x})", Text(*address))
            }
            Call::Mremap {
                result,
                address,
                old_length,
                new_length,
                flags,
                new_address,
            } => {
                write!(f, "m{} = mremap({}", result.0, Text(*address))?;
                write!(f, ", {old_length:#x}, {new_length:#x}")?;
                if !flags.is_empty() || new_address.is_some() {
                    write!(f, ", {}", Text(*flags))?;
                }
                if let Some(new_address) = new_address {
                    write!(f, ", to={}", Text(*new_address))?;
                }
                f.write_char(')')
            }
            Call::Load { address, length } => write!(f, "load({}, {length:#x})", Text(*address)),
            Call::Store { address, data } => {
                write!(f, "store({}, {})", Text(*address), Text(*data))
            }
            Call::Open {
                result,
                path,
                flags,
            } => write!(f, "f{} = open(\"{}\", {})", result.0, path.0, Text(*flags)),
            Call::Pipe { reading, writing } => write!(f, "f{} f{} = pipe()", reading.0, writing.0),
            Call::Socket { result } => write!(f, "f{} = socket()", result.0),
            Call::Close(descriptor) => write!(f, "close(f{})", descriptor.0),
            Call::Dup { result, descriptor } => write!(f, "f{} = dup(f{})", result.0, descriptor.0),
            Call::Read {
                descriptor,
                offset,
                length,
            } => write!(
                f,
                "read(f{}, off={offset:#x}, len={length:#x})",
                descriptor.0
            ),
            Call::Write {
                descriptor,
                offset,
                data,
            } => write!(
                f,
                "write(f{}, off={offset:#x}, {})",
                descriptor.0,
                Text(*data)
            ),
            Call::Ftruncate { descriptor, length } => {
                write!(f, "ftruncate(f{}, {length:#x})", descriptor.0)
            }
            Call::Truncate { path, length } => write!(f, "truncate(\"{}\", {length:#x})", path.0),
            Call::Unlink(path) => write!(f, "unlink(\"{}\")", path.0),
            Call::Fork { .. } => f.write_str("fork()"),
            Call::Vfork { .. } => f.write_str("vfork()"),
            Call::Clone { .. } => f.write_str("clone()"),
            Call::Exec { path, stack: 0 } => write!(f, "exec(\"{}\")", path.0),
            Call::Exec { path, stack } => write!(f, "exec(\"{}\", stack={stack:#x})", path.0),
            Call::Exit => f.write_str("exit()"),
            Call::PtraceAttach(process) => write!(f, "ptrace_attach(p{})", process.0),
            Call::PtraceDetach(process) => write!(f, "ptrace_detach(p{})", process.0),
            Call::PtracePeek {
                process,
                address,
                length,
            } => write!(
                f,
                "ptrace_peek(p{}, {}, {length:#x})",
                process.0,
                Text(*address)
            ),
            Call::PtracePoke {
                process,
                address,
                data,
            } => write!(
                f,
                "ptrace_poke(p{}, {}, {})",
                process.0,
                Text(*address),
                Text(*data)
            ),
            Call::Shmget {
                result,
                key,
                size,
                flags,
            } => {
                write!(f, "s{} = shmget(key=", result.0)?;
                match key {
                    0 => f.write_str("private")?,
                    key => write!(f, "{key}")?,
                }
                write!(f, ", size={size:#x}")?;
                if !flags.is_empty() {
                    write!(f, ", {}", Text(*flags))?;
                }
                f.write_char(')')
            }
            Call::Shmat {
                result,
                segment,
                read_only,
            } => {
                let read_only = if *read_only { ", readonly" } else { "" };
                write!(f, "m{} = shmat(s{}{read_only})", result.0, segment.0)
            }
            Call::Shmdt(address) => write!(f, "shmdt({})", Text(*address)),
            Call::ShmRemove(segment) => write!(f, "shmctl(s{}, remove)", segment.0),
            Call::ShmStat(segment) => write!(f, "shmctl(s{}, stat)", segment.0),
            Call::FutexWait { address, expected } => {
                write!(f, "futex_wait({}, {expected:#x})", Text(*address))
            }
            Call::FutexWake { address, count } => {
                write!(f, "futex_wake({}, {count})", Text(*address))
            }
            Call::SystemMaps { chunk: 0 } => f.write_str("maps()"),
            Call::SystemMaps { chunk } => write!(f, "maps(chunk={chunk:#x})"),
            Call::ProcessMaps { process, chunk: 0 } => write!(f, "maps(p{})", process.0),
            Call::ProcessMaps { process, chunk } => {
                write!(f, "maps(p{}, chunk={chunk:#x})", process.0)
            }
            Call::Unsupported {
                call,
                address,
                length,
            } => {
                let name = match call {
                    UnsupportedCall::Mprotect => "mprotect",
                    UnsupportedCall::Msync => "msync",
                    UnsupportedCall::Mlock => "mlock",
                    UnsupportedCall::Madvise => "madvise",
                    UnsupportedCall::Mincore => "mincore",
                };
                write!(f, "{name}({}, {length:#x})", Text(*address))
            }
        }
    }
}

impl Display for Text<&Mmap> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mmap = self.0;
        if let Some(address) = mmap.address {
            write!(f, "addr={}, ", Text(address))?;
        }
        write!(
            f,
            "len={:#x}, prot={}, flags={}",
            mmap.length,
            Text(mmap.protection),
            Text(mmap.flags)
        )?;
        if let Some(descriptor) = mmap.descriptor {
            write!(f, ", fd=f{}", descriptor.0)?;
        }
        if mmap.descriptor.is_some() || mmap.offset != 0 {
            write!(f, ", off={:#x}", mmap.offset)?;
        }
        Ok(())
    }
}

impl Display for Text<Address> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Address::Of(name, 0) => write!(f, "m{}", name.0),
            Address::Of(name, offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "m{}{sign}{:#x}", name.0, offset.unsigned_abs())
            }
            Address::Absolute(address) => write!(f, "{address:#x}"),
        }
    }
}

impl Display for Text<Fill> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0.byte {
            byte @ (b'"' | b'\\') => write!(f, "\"\\{}\"", char::from(byte))?,
            byte @ b' '..=b'~' => write!(f, "\"{}\"", char::from(byte))?,
            byte => write!(f, "\"\\x{byte:02x}\"")?,
        }
        write!(f, "*{}", self.0.count)
    }
}

impl Display for Text<&Script> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let script = self.0;
        match script.capabilities {
            None => {}
            Some(None) => f.write_str(" capabilities=default")?,
            Some(Some(capabilities)) => write!(f, " capabilities={}", Text(capabilities))?,
        }
        if let Some(answer) = script.area {
            write!(f, " area={}", Text(answer))?;
        }
        if let Some(answer) = script.mmap {
            write!(f, " mmap={}", Text(answer))?;
        }
        for (key, value) in [("read", script.read), ("busy", script.busy)] {
            if let Some(value) = value {
                write!(f, " {key}={}", if value { "yes" } else { "no" })?;
            }
        }
        Ok(())
    }
}

impl Display for Text<Answer> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Answer::Absent => f.write_str("absent"),
            Answer::Ok => f.write_str("ok"),
            Answer::Error(errno) => f.write_str(&errno.name().to_ascii_lowercase()),
        }
    }
}

impl Display for Text<Protection> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let letters = [
            (Protection::READ, "r"),
            (Protection::WRITE, "w"),
            (Protection::EXEC, "x"),
        ];
        write_flags(
            f,
            "",
            &letters.map(|(bit, text)| (self.0.contains(bit), text)),
        )
    }
}

impl Display for Text<MapFlags> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let words = [
            (MapFlags::SHARED, "shared"),
            (MapFlags::PRIVATE, "private"),
            (MapFlags::FIXED, "fixed"),
            (MapFlags::UNINITIALIZED, "uninitialized"),
        ];
        write_flags(
            f,
            "|",
            &words.map(|(bit, text)| (self.0.contains(bit), text)),
        )
    }
}

impl Display for Text<RemapFlags> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let words = [
            (RemapFlags::MAYMOVE, "maymove"),
            (RemapFlags::FIXED, "fixed"),
        ];
        write_flags(
            f,
            "|",
            &words.map(|(bit, text)| (self.0.contains(bit), text)),
        )
    }
}

impl Display for Text<OpenFlags> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let both = OpenFlags::READ | OpenFlags::WRITE;
        let access = self.0 & both;
        write_flags(
            f,
            "|",
            &[
                (self.0.contains(OpenFlags::CREATE), "create"),
                (self.0.contains(OpenFlags::TRUNCATE), "truncate"),
                (access == OpenFlags::READ, "r"),
                (access == OpenFlags::WRITE, "w"),
                (access == both, "rw"),
            ],
        )
    }
}

impl Display for Text<SegmentFlags> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let words = [
            (SegmentFlags::CREATE, "create"),
            (SegmentFlags::EXCLUSIVE, "exclusive"),
        ];
        write_flags(
            f,
            "|",
            &words.map(|(bit, text)| (self.0.contains(bit), text)),
        )
    }
}

impl Display for Text<Capabilities> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let words = [
            (Capabilities::COPY, "copy"),
            (Capabilities::DIRECT, "direct"),
            (Capabilities::READ, "read"),
            (Capabilities::WRITE, "write"),
            (Capabilities::EXEC, "exec"),
        ];
        write_flags(
            f,
            "|",
            &words.map(|(bit, text)| (self.0.contains(bit), text)),
        )
    }
}

/// The words that are given, or `none`.
fn write_flags(f: &mut Formatter<'_>, separator: &str, words: &[(bool, &str)]) -> Result {
    let mut is_empty = true;
    for (_, word) in words.iter().filter(|(given, _)| *given) {
        if !is_empty {
            f.write_str(separator)?;
        }
        f.write_str(word)?;
        is_empty = false;
    }
    if is_empty {
        f.write_str("none")
    } else {
        Ok(())
    }
}
