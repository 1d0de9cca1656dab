//! open and unlink.

use super::due::Due;
use super::file::Directory;
use super::{Answer, Caller, Refusal, done};
use crate::op::{Descriptor, OpenFlags, Path};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::file::{File, FileNumber, Kind};
use crate::world::process::{OpenFile, OpenTarget};
use crate::world::shared::Shared;

pub(super) fn open(
    world: &mut World,
    caller: Caller,
    result: Descriptor,
    path: &Path,
    flags: OpenFlags,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let found = world.find_file(path);
    let mut due = Due::default();
    match found {
        Some(number) => owe_opening(world, number, flags, &mut due),
        None => owe_making(path, flags, &mut due),
    }
    let Some(value) = due.judge(answer, "file-errors")? else {
        return Ok(());
    };
    done(value, "file-errors")?;
    let number = match found {
        Some(number) => number,
        None => make(world, path),
    };
    let cuts = matches!(world.file(number).kind, Kind::Regular | Kind::MemoryBacked);
    if flags.contains(OpenFlags::TRUNCATE) && cuts {
        world.shrink_file(number, 0);
    }
    let open = OpenFile {
        target: OpenTarget::File(number),
        readable: flags.contains(OpenFlags::READ),
        writable: flags.contains(OpenFlags::WRITE),
        descriptors: 0,
    };
    world.add_descriptor(caller.process, result, open);
    Ok(())
}

fn owe_opening(world: &World, number: FileNumber, flags: OpenFlags, due: &mut Due) {
    let writes = flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE);
    match world.file(number).kind {
        Kind::Directory => {
            due.must_if(writes, "file-errors", &[Errno::EISDIR]);
            if flags.contains(OpenFlags::CREATE) {
                due.may(&[Errno::EISDIR]);
            }
        }
        Kind::ExecuteInPlace | Kind::Mtd => {
            due.must_if(writes, "file-errors", &[Errno::EROFS, Errno::EACCES]);
        }
        Kind::Regular | Kind::MemoryBacked => {
            let cuts_mapping = flags.contains(OpenFlags::TRUNCATE) && world.covers_cut(number, 0);
            due.must_if(cuts_mapping, "truncate-under-mapping", &[Errno::ETXTBSY]);
        }
        Kind::Block | Kind::MemoryBlock | Kind::Character => {}
    }
}

fn owe_making(path: &Path, flags: OpenFlags, due: &mut Due) {
    let directory = Directory::of(path);
    if !flags.contains(OpenFlags::CREATE) || directory == Directory::Missing {
        due.must("file-errors", &[Errno::ENOENT]);
    } else if directory.makes().is_none() {
        due.must("file-errors", &[Errno::EACCES, Errno::EROFS]);
    }
}

fn make(world: &mut World, path: &Path) -> FileNumber {
    let number = FileNumber(world.files.len() as u16);
    world.files.push(Shared::new(File {
        kind: Directory::of(path).makes().unwrap_or(Kind::Regular),
        path: Some(path.clone()),
        size: 0,
        pages: Vec::new(),
        memory: None,
        driver: None,
        dead: false,
    }));
    number
}

pub(super) fn unlink(world: &mut World, path: &Path, answer: &Answer<'_>) -> Result<(), Refusal> {
    let found = world.find_file(path);
    let directory = Directory::of(path);
    let mut due = Due::default();
    let kind = found.map(|number| world.file(number).kind);
    if kind == Some(Kind::Directory) {
        due.must("file-errors", &[Errno::EISDIR, Errno::EPERM, Errno::EBUSY]);
    } else if directory.makes().is_none() && directory != Directory::Missing {
        due.must("file-errors", &[Errno::EACCES, Errno::EROFS, Errno::EPERM]);
    }
    due.must_if(found.is_none(), "file-errors", &[Errno::ENOENT]);
    let Some(value) = due.judge(answer, "file-errors")? else {
        return Ok(());
    };
    done(value, "file-errors")?;
    if let Some(number) = found {
        world.files[usize::from(number.0)].path = None;
        world.bury_file(number);
    }
    Ok(())
}
