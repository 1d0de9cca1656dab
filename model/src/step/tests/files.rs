use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;

fn open(path: &str, flags: OpenFlags) -> Operation {
    call(Call::Open {
        result: Descriptor(77),
        path: Path(path.into()),
        flags,
    })
}

#[test]
fn opening() {
    let mut bench = Bench::new();
    for (path, flags, errno) in [
        ("/ram/a", OpenFlags::READ, Errno::ENOENT),
        ("/no/a", OpenFlags::READ | OpenFlags::CREATE, Errno::ENOENT),
        ("/rom/c", OpenFlags::READ | OpenFlags::CREATE, Errno::EACCES),
        ("/rom/a", OpenFlags::WRITE, Errno::EROFS),
        ("/dev/mtd0", OpenFlags::WRITE, Errno::EACCES),
        ("/ram", OpenFlags::WRITE, Errno::EISDIR),
    ] {
        bench.accepts(open(path, flags), error(errno));
        bench.refuses(
            open(path, flags),
            error(Errno::EFAULT),
            &match errno {
                Errno::EACCES | Errno::EROFS => {
                    "file-errors: allowed are only: EACCES (file-errors), EROFS (file-errors); \
                     seen is EFAULT"
                        .to_owned()
                }
                errno => {
                    format!("file-errors: allowed are only: {errno} (file-errors); seen is EFAULT")
                }
            },
        );
    }
}

#[test]
fn reading_and_writing() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/blk0", OpenFlags::READ | OpenFlags::WRITE);
    let write = |offset, count| {
        call(Call::Write {
            descriptor: file,
            offset,
            data: bytes(1, count),
        })
    };
    // A device ends where it ends.
    bench.accepts(write(4 * PAGE - 1, 5), count(1));
    bench.accepts(write(4 * PAGE, 1), error(Errno::ENOSPC));
    bench.accepts(write(4 * PAGE, 0), count(0));
    let load = |offset, length| {
        call(Call::Read {
            descriptor: file,
            offset,
            length,
        })
    };
    bench.accepts(load(4 * PAGE - 1, u64::MAX), read(&[1]));
    bench.accepts(load(u64::MAX, 1), error(Errno::EINVAL));
    bench.refuses(
        load(4 * PAGE - 1, 1),
        read(&[2]),
        "file-read: allowed is only: byte 0x01 at 0x3f; seen is byte 0x02",
    );
}

#[test]
fn a_file_may_only_be_so_large() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/c", OpenFlags::WRITE | OpenFlags::CREATE);
    let large = call(Call::Ftruncate {
        descriptor: file,
        length: (1 << 30) + 1,
    });
    bench.accepts(large, error(Errno::EFBIG));
    let write = call(Call::Write {
        descriptor: file,
        offset: (1 << 30) - 1,
        data: bytes(1, u64::MAX),
    });
    bench.accepts(write.clone(), error(Errno::EFBIG));
    bench.accepts(write, count(1));
    assert_eq!(bench.world.files[12].size, 1 << 30);
    assert_eq!(bench.world.files[12].pages.len(), 1);
}

#[test]
fn descriptors() {
    let mut bench = Bench::new();
    let bad = Descriptor(9);
    bench.accepts(call(Call::Close(bad)), error(Errno::EBADF));
    bench.refuses(
        call(Call::Close(bad)),
        done(),
        "descriptor-errors: allowed are only: EBADF (descriptor-errors); seen is success",
    );
    let file = bench.open("/disk/a", OpenFlags::READ);
    let result = Descriptor(bench.name());
    let dup = Call::Dup {
        result,
        descriptor: file,
    };
    bench.accepts(call(dup), done());
    assert_eq!(bench.world.open_files[0].descriptors, 2);
    let write = call(Call::Write {
        descriptor: result,
        offset: 0,
        data: bytes(1, 1),
    });
    bench.accepts(write, error(Errno::EBADF));
    // Names belong to a process.
    bench.accepts(by(1, Call::Close(file)), error(Errno::EBADF));
}

#[test]
fn what_cannot_be_performed() {
    let mut bench = Bench::new();
    let reason = |bench: &Bench, operation: Operation| {
        bench.world.performable(&operation).unwrap_err().reason
    };
    let cases = [
        (by(5, Call::Exit), "p5 was never made"),
        (open("/ram/a", OpenFlags::CREATE), "open needs r or w"),
        (
            open("/ram/a", OpenFlags::READ | OpenFlags::TRUNCATE),
            "open with truncate needs w",
        ),
        (open("ram", OpenFlags::READ), "ram is not /directory/name"),
        (
            open("/ram/a/b", OpenFlags::READ),
            "/ram/a/b is not /directory/name",
        ),
        (open("/dev", OpenFlags::READ), "/dev is not /directory/name"),
        (
            call(Call::Vfork { result: Process(7) }),
            "the next process is p2, not p7",
        ),
        (
            Operation::Driver(Path("/ram".into()), Script::default()),
            "/ram has no scripted driver",
        ),
    ];
    for (operation, expected) in cases {
        assert_eq!(reason(&bench, operation), expected);
    }
    let vfork = call(Call::Vfork { result: Process(2) });
    bench.accepts(vfork, done());
    let exit = call(Call::Exit);
    assert_eq!(reason(&bench, exit), "p0 waits until p2 execs or exits");
    bench.accepts(by(2, Call::Exit), done());
    assert_eq!(reason(&bench, by(2, Call::Exit)), "p2 is dead");
}
