//! Files as far as mapping needs them: sizes, contents, errors.

use crate::op::{Call, OpenFlags};
use crate::outcome::Errno::{self, *};
use crate::outcome::{Outcome, Value};
use crate::rules::bytes::{first_other, first_unlike};
use crate::rules::further_notes::names;
use crate::rules::shareable_memory_backed_files::truncation;
use crate::rules::view;
use crate::rules::{Kinds, Step, Verdict, rules};
use crate::world::file::{File, FileNumber, Kind};
use crate::world::process::OpenTarget;
use Verdict::{Holds, NotApplicable, Violated};

rules! { "gaps":
    "truncate-under-mapping": Kinds::TRUNCATE.union(Kinds::OPEN), 85, truncate_under_mapping;
    "shrink-frees-pages": Kinds::TRUNCATE.union(Kinds::OPEN), 80, shrink_frees_pages;
    "file-read": Kinds::READ, 80, file_read;
    "file-write": Kinds::WRITE, 80, file_write;
    "file-errors": Kinds::OPEN.union(Kinds::READ).union(Kinds::WRITE).union(Kinds::TRUNCATE).union(Kinds::UNLINK), 75, file_errors;
    "unlink-keeps-file": Kinds::UNLINK.union(Kinds::DESCRIPTOR).union(Kinds::RELEASES), 70, unlink_keeps_file;
    "descriptor-errors": Kinds::DESCRIPTOR.union(Kinds::READ).union(Kinds::WRITE), 70, descriptor_errors;
}

/// The largest that a file may become.
const LARGEST: u64 = 1 << 30;
/// The largest offset.
const LARGEST_OFFSET: u64 = i64::MAX as u64;

fn named<'a>(step: &Step<'a>, path: &crate::op::Path) -> Option<(FileNumber, &'a File)> {
    (0..)
        .zip(step.before.files.iter())
        .find(|(_, file)| !file.dead && file.path.as_ref() == Some(path))
        .map(|(number, file)| (FileNumber(number), &**file))
}

/// The file that would shrink, and to what.
fn shrinking<'a>(step: &Step<'a>) -> Option<(FileNumber, &'a File, u64)> {
    let (number, length) = match step.call()?.1 {
        Call::Open { path, flags, .. }
            if flags.contains(OpenFlags::TRUNCATE | OpenFlags::WRITE) =>
        {
            (named(step, path)?.0, 0)
        }
        Call::Open { .. } => return None,
        _ => truncation(step)?,
    };
    let file = step.before.file(number);
    let resizes = matches!(file.kind, Kind::Regular | Kind::MemoryBacked);
    (resizes && length < file.size).then_some((number, file, length))
}

/// A memory-backed file does not shrink while a mapping on its pages would be cut.
fn truncate_under_mapping(step: &Step<'_>) -> Verdict {
    let Some((number, file, length)) = shrinking(step) else {
        return NotApplicable;
    };
    if file.kind != Kind::MemoryBacked {
        return NotApplicable;
    }
    let cut = length - length % step.before.page_size();
    let covers = |shared: bool| {
        view::mappings(step.before).any(|(_, mapping)| {
            mapping.backing == crate::world::space::Backing::Direct
                && view::file_of(mapping.object) == Some(number)
                && mapping.shared == shared
                && mapping.offset + (mapping.end - mapping.start) > cut
        })
    };
    if covers(true) {
        return Verdict::demand(step.failed_with(&[ETXTBSY]), || {
            format!(
                "{}, expected ETXTBSY: a shared mapping covers pages that would be cut",
                step.answer()
            )
        });
    }
    if covers(false) {
        return NotApplicable;
    }
    Verdict::demand(step.error() != Some(ETXTBSY), || {
        "ETXTBSY, and no mapping covers a page that would be cut".to_owned()
    })
}

/// A file that shrinks gives back the pages beyond its new end, and clears the rest of its
/// last page.
fn shrink_frees_pages(step: &Step<'_>) -> Verdict {
    let Some((number, _, length)) = shrinking(step) else {
        return NotApplicable;
    };
    if !step.succeeded() {
        return NotApplicable;
    }
    let file = step.after.file(number);
    let size = step.after.page_size();
    if file.size != length {
        return Violated(format!(
            "the size is {:#x}, expected {length:#x}",
            file.size
        ));
    }
    if let Some(page) = file
        .pages
        .iter()
        .find(|page| u64::from(page.index) >= length.div_ceil(size))
    {
        return Violated(format!(
            "page {} of the file is beyond its end, and kept",
            page.index
        ));
    }
    let rest = (length % size) as usize;
    let last = file.page(length / size).filter(|_| rest > 0);
    let dirty = last
        .and_then(|page| view::known(&page.contents))
        .is_some_and(|bytes| first_other(&bytes[rest..], 0).is_some());
    Verdict::demand(!dirty, || {
        "the rest of the last page is not cleared".to_owned()
    })
}

/// read returns the file's bytes, up to its end.
fn file_read(step: &Step<'_>) -> Verdict {
    let Some((
        process,
        Call::Read {
            descriptor,
            offset,
            length,
        },
    )) = step.call()
    else {
        return NotApplicable;
    };
    let Some((open, Some((_, file)))) = view::target(step.before, process, *descriptor) else {
        return NotApplicable;
    };
    if !read_errors(open, file, *offset).is_empty() || step.failed_by_injection() {
        return NotApplicable;
    }
    let Outcome::Ok(Value::Bytes(found)) = step.outcome else {
        return Violated(format!("{}, expected the file's bytes", step.answer()));
    };
    let count = (*length).min(file.size.saturating_sub(*offset));
    if found.len() as u64 != count {
        return Violated(format!("{} bytes, expected {count}", found.len()));
    }
    let size = step.before.page_size();
    let mut at = *offset;
    let mut rest = &found[..];
    while !rest.is_empty() {
        let place = (at % size) as usize;
        let (now, later) = rest.split_at(rest.len().min(size as usize - place));
        let page = file.page(at / size).map(|page| view::known(&page.contents));
        let unlike = match page {
            None => first_other(now, 0).map(|step| (step, 0)),
            Some(Some(bytes)) => {
                first_unlike(now, &bytes[place..]).map(|step| (step, bytes[place + step]))
            }
            Some(None) => None,
        };
        if let Some((step, expected)) = unlike {
            return Violated(format!(
                "byte {:#x} reads as {:#04x}, expected {expected:#04x}",
                at + step as u64,
                now[step]
            ));
        }
        at += now.len() as u64;
        rest = later;
    }
    Holds
}

fn read_errors(open: &crate::world::process::OpenFile, file: &File, offset: u64) -> Vec<Errno> {
    let mut due = Vec::new();
    if !open.readable {
        due.push(EBADF);
    }
    if offset > LARGEST_OFFSET {
        due.push(EINVAL);
    }
    if file.kind == Kind::Directory {
        due.push(EISDIR);
    }
    if let Some(driver) = &file.driver {
        if !driver.readable {
            due.push(EINVAL);
        }
        if driver.busy {
            due.extend([EBUSY, EAGAIN]);
        }
    }
    due
}

/// write puts its bytes into the file, which grows as it must; bytes of new pages that are not
/// written are zero.
fn file_write(step: &Step<'_>) -> Verdict {
    let Some((
        process,
        Call::Write {
            descriptor,
            offset,
            data,
        },
    )) = step.call()
    else {
        return NotApplicable;
    };
    let Some((open, Some((number, file)))) = view::target(step.before, process, *descriptor) else {
        return NotApplicable;
    };
    let Outcome::Ok(Value::Count(count)) = *step.outcome else {
        return NotApplicable;
    };
    if !open.writable {
        return NotApplicable;
    }
    let device = matches!(file.kind, Kind::Block | Kind::MemoryBlock);
    let room = if device {
        file.size.saturating_sub(*offset)
    } else {
        u64::MAX
    };
    let most = data.count.min(room);
    let short_may_be = file.kind == Kind::MemoryBacked && count > 0;
    if count > most || count < most && !short_may_be {
        return Violated(format!("{count} bytes written, expected {most}"));
    }
    let now = step.after.file(number);
    let end = offset.saturating_add(count);
    let expected = if count == 0 {
        file.size
    } else {
        file.size.max(end)
    };
    if now.size != expected {
        return Violated(format!(
            "the size is {:#x}, expected {expected:#x}",
            now.size
        ));
    }
    let size = step.after.page_size();
    let (first, after) = (offset / size, end.div_ceil(size));
    for index in first..after.min(first + 4096) {
        if count == 0 {
            break;
        }
        let Some(page) = now.page(index) else {
            return Violated(format!("page {index} was written to and is not there"));
        };
        let Some(bytes) = view::known(&page.contents) else {
            continue;
        };
        let old = file
            .page(index)
            .and_then(|page| view::known(&page.contents));
        // What is written of the page; beside that it is as it was.
        let start = index * size;
        let from = offset.saturating_sub(start).min(size) as usize;
        let to = (end - start).min(size) as usize;
        let stays = |from: usize, to: usize| {
            let unlike = match old {
                Some(old) => first_unlike(&bytes[from..to], &old[from..to]),
                None => first_other(&bytes[from..to], 0),
            };
            unlike.map(|step| (from + step, old.map_or(0, |old| old[from + step])))
        };
        let unlike = stays(0, from)
            .or_else(|| Some((from + first_other(&bytes[from..to], data.byte)?, data.byte)))
            .or_else(|| stays(to, bytes.len()));
        if let Some((place, expected)) = unlike {
            return Violated(format!(
                "byte {:#x} is {:#04x}, expected {expected:#04x}",
                start + place as u64,
                bytes[place]
            ));
        }
    }
    Holds
}

/// Calls on files fail with the errors they should, and only then.
fn file_errors(step: &Step<'_>) -> Verdict {
    let Some((process, call)) = step.call() else {
        return NotApplicable;
    };
    let due: Vec<Errno> = match call {
        Call::Open { path, flags, .. } => open_errors(step, path, *flags),
        Call::Unlink(path) => match named(step, path) {
            // Where nothing can be removed, that may be noticed first.
            None if !["/ram", "/disk"]
                .iter()
                .any(|place| path.0.starts_with(place)) =>
            {
                vec![ENOENT, EROFS, EACCES, EPERM]
            }
            None => vec![ENOENT],
            Some((_, file)) => match file.kind {
                Kind::Directory => vec![EISDIR, EPERM],
                Kind::Regular | Kind::MemoryBacked => vec![],
                _ => vec![EROFS, EACCES, EPERM],
            },
        },
        Call::Truncate { path, length } => match named(step, path) {
            None => missing(ENOENT, *length),
            Some((_, file)) => resize_errors(file, *length),
        },
        Call::Ftruncate { descriptor, length } => {
            match view::target(step.before, process, *descriptor) {
                Some((open, Some((_, file)))) => {
                    let mut due = resize_errors(file, *length);
                    if !open.writable {
                        due.extend([EINVAL, EBADF]);
                    }
                    due
                }
                Some((_, None)) => vec![EINVAL],
                None => missing(EBADF, *length),
            }
        }
        Call::Read {
            descriptor, offset, ..
        } => {
            match view::target(step.before, process, *descriptor) {
                Some((open, Some((_, file)))) => read_errors(open, file, *offset),
                _ => return NotApplicable, // `descriptor-errors` speaks.
            }
        }
        Call::Write {
            descriptor,
            offset,
            data,
        } => match view::target(step.before, process, *descriptor) {
            Some((open, Some((_, file)))) => write_errors(open, file, *offset, data.count),
            _ => return NotApplicable,
        },
        _ => return NotApplicable,
    };
    if due.is_empty() {
        // Memory that runs out and mappings that hold a file are other rules' business.
        let others = [ENOMEM, ENOSPC, ETXTBSY];
        return match step.error() {
            None => NotApplicable,
            Some(error) => Verdict::demand(others.contains(&error), || {
                format!("{error}, expected success")
            }),
        };
    }
    Verdict::demand(
        step.failed_with(&due) || step.failed_by_injection() || step.failed_with(&[ETXTBSY]),
        || format!("{}, expected {}", step.answer(), names(&due)),
    )
}

/// What a file that is not there is answered with, and a length that none can have.
fn missing(error: Errno, length: u64) -> Vec<Errno> {
    match length > LARGEST_OFFSET {
        true => vec![error, EINVAL],
        false => vec![error],
    }
}

fn open_errors(step: &Step<'_>, path: &crate::op::Path, flags: OpenFlags) -> Vec<Errno> {
    let writes = flags.contains(OpenFlags::WRITE);
    let mut due = Vec::new();
    if !flags.intersects(OpenFlags::READ | OpenFlags::WRITE)
        || flags.contains(OpenFlags::TRUNCATE) && !writes
    {
        due.extend([EINVAL, EACCES]);
    }
    match named(step, path) {
        Some((_, file)) => match file.kind {
            Kind::Directory if writes || flags.contains(OpenFlags::CREATE) => due.push(EISDIR),
            Kind::ExecuteInPlace if writes => due.push(EROFS),
            Kind::Mtd if writes => due.push(EACCES),
            _ => {}
        },
        None => {
            let mut parts = path.0.split('/').skip(1);
            let (directory, name, rest) = (parts.next(), parts.next(), parts.next());
            let plain = name.is_some_and(|name| !name.is_empty()) && rest.is_none();
            match directory {
                Some("ram" | "disk") if plain && flags.contains(OpenFlags::CREATE) => {}
                Some("rom" | "dev") if plain && flags.contains(OpenFlags::CREATE) => {
                    due.extend([EACCES, EROFS, ENOENT]);
                }
                _ => due.extend([ENOENT, ENOTDIR]),
            }
        }
    }
    due
}

fn resize_errors(file: &File, length: u64) -> Vec<Errno> {
    match file.kind {
        Kind::Directory => vec![EISDIR, EINVAL],
        Kind::ExecuteInPlace => vec![EROFS, EINVAL, EACCES],
        Kind::Regular | Kind::MemoryBacked if length > LARGEST => vec![EFBIG, EINVAL],
        Kind::Regular | Kind::MemoryBacked => vec![],
        _ => vec![EINVAL],
    }
}

fn write_errors(
    open: &crate::world::process::OpenFile,
    file: &File,
    offset: u64,
    count: u64,
) -> Vec<Errno> {
    let mut due = Vec::new();
    if !open.writable {
        due.push(EBADF);
    }
    if offset > LARGEST_OFFSET {
        due.push(EINVAL);
    }
    match file.kind {
        Kind::Character | Kind::Mtd | Kind::Directory | Kind::ExecuteInPlace => {
            due.extend([EINVAL, EISDIR]);
        }
        Kind::Block | Kind::MemoryBlock if count > 0 && offset >= file.size => due.push(ENOSPC),
        Kind::Regular | Kind::MemoryBacked
            if count > 0 && offset.checked_add(count).is_none_or(|end| end > LARGEST) =>
        {
            due.push(EFBIG);
        }
        _ => {}
    }
    due
}

/// A file without a name lives while it is open or mapped; then its pages are given back.
fn unlink_keeps_file(step: &Step<'_>) -> Verdict {
    if step.before.files.is_same(&step.after.files)
        && step.before.open_files.is_same(&step.after.open_files)
        && step.before.spaces.is_same(&step.after.spaces)
    {
        return NotApplicable;
    }
    let mut verdict = NotApplicable;
    for (number, file) in (0..).zip(step.after.files.iter()) {
        if file.path.is_some() {
            continue;
        }
        let number = FileNumber(number);
        let open = step
            .after
            .open_files
            .iter()
            .any(|open| open.descriptors > 0 && open.target == OpenTarget::File(number));
        let mapped = view::mappings(step.after)
            .any(|(_, mapping)| view::file_of(mapping.object) == Some(number));
        if file.dead == (open || mapped) {
            return Violated(format!(
                "file {} has no name and is {}, open: {open}, mapped: {mapped}",
                number.0,
                if file.dead { "gone" } else { "there" }
            ));
        }
        verdict = Holds;
    }
    verdict
}

/// Names that stand for no open file are EBADF; pipes and sockets have no positions.
fn descriptor_errors(step: &Step<'_>) -> Verdict {
    let Some((process, call)) = step.call() else {
        return NotApplicable;
    };
    let (descriptor, positioned) = match call {
        Call::Close(descriptor) | Call::Dup { descriptor, .. } => (*descriptor, false),
        Call::Read { descriptor, .. } | Call::Write { descriptor, .. } => (*descriptor, true),
        Call::Pipe { .. } | Call::Socket { .. } => {
            return Verdict::demand(step.succeeded() || step.failed_by_injection(), || {
                format!("{}, expected success", step.answer())
            });
        }
        _ => return NotApplicable,
    };
    match view::target(step.before, process, descriptor) {
        None => {
            // Either of two errors may be noticed first.
            let negative = match call {
                Call::Read { offset, .. } | Call::Write { offset, .. } => *offset > LARGEST_OFFSET,
                _ => false,
            };
            let either = negative && step.failed_with(&[EINVAL]);
            Verdict::demand(either || step.failed_with(&[EBADF]), || {
                format!(
                    "{}, expected EBADF: the descriptor is not open",
                    step.answer()
                )
            })
        }
        Some((_, None)) if positioned => {
            let (offset, length) = match call {
                Call::Read { offset, length, .. } => (*offset, *length),
                Call::Write { offset, data, .. } => (*offset, data.count),
                _ => (0, 0),
            };
            let huge = offset.max(length) > LARGEST_OFFSET && step.failed_with(&[EINVAL]);
            Verdict::demand(huge || step.failed_with(&[ESPIPE, EBADF]), || {
                format!("{}, expected ESPIPE", step.answer())
            })
        }
        Some(_) if !positioned => {
            Verdict::demand(step.succeeded() || step.failed_by_injection(), || {
                format!("{}, expected success", step.answer())
            })
        }
        Some(_) => NotApplicable,
    }
}
