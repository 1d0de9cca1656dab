use super::bench::*;
use crate::observation::{MappingView, Object};
use crate::op::*;
use crate::outcome::{Errno, Outcome, Value};
use crate::world::World;
use crate::world::config::Config;

#[test]
fn there_is_no_fork() {
    let mut bench = Bench::new();
    let fork = call(Call::Fork { result: Process(2) });
    bench.refuses(
        fork,
        done(),
        "no-fork: allowed are only: EINVAL (no-fork), ENOSYS (no-fork); seen is success",
    );
    let clone = call(Call::Clone {
        result: Process(2),
        shares_memory: false,
    });
    bench.refuses(
        clone,
        done(),
        "clone-shares-memory: allowed are only: EINVAL (clone-shares-memory), \
         ENOSYS (clone-shares-memory); seen is success",
    );
}

#[test]
fn where_children_are_made_without_memory_they_have_none() {
    let accepts = |config: &mut Config| {
        (config.deviations).push("clone-without-vm-accepted".into());
    };
    let child = Process(2);
    let fork = Call::Fork { result: child };
    let clone = Call::Clone {
        result: child,
        shares_memory: false,
    };
    for birth in [fork, clone] {
        let mut bench = Bench::with(accepts);
        bench.anonymous(0, 2);
        bench.accepts(call(birth), done());
        let spaces = |world: &World| {
            let of = |process| world.space_of(process).map(|space| space.mappings.len());
            (of(Process(0)), of(child))
        };
        assert_eq!(spaces(&bench.world), (Some(1), Some(0)));
        bench.accepts(call(Call::Exit), done());
        assert_eq!(bench.world.memory.free_pages(), Some(16));
    }
}

#[test]
fn memory_goes_with_the_last_process() {
    let mut bench = Bench::new();
    bench.anonymous(0, 2);
    let clone = call(Call::Clone {
        result: Process(2),
        shares_memory: true,
    });
    bench.accepts(clone, done());
    bench.accepts(call(Call::Exit), done());
    assert_eq!(bench.world.regions.len(), 1);
    bench.accepts(by(2, Call::Exit), done());
    assert_eq!(bench.world.memory.free_pages(), Some(16));
}

fn view(start: u64, pages: u64, letters: &str, object: Option<u16>) -> MappingView {
    MappingView {
        start,
        end: start + pages * PAGE,
        protection: protection(letters),
        shared: false,
        object: object.map(Object::File),
        offset: 0,
    }
}

fn exec(process: u16, path: &str, stack: u64) -> Operation {
    by(
        process,
        Call::Exec {
            path: Path(path.into()),
            stack,
        },
    )
}

#[test]
fn exec_maps_the_program_and_leaves_the_rest() {
    let mut bench = Bench::new();
    bench.anonymous(15, 1);
    let vfork = call(Call::Vfork { result: Process(2) });
    bench.accepts(vfork, done());
    let text = view(page(0), 3, "rx", Some(3));
    let stack = view(page(4), 2, "rw", None);
    bench.shows_mappings(2, vec![text, stack]);
    bench.accepts(exec(2, "/disk/a", 2 * PAGE), done());
    assert_eq!(bench.world.processes[0].waits_for, None);
    assert_eq!(bench.world.regions.len(), 3);
    bench.shows_mappings(0, vec![]);
    bench.refuses(
        exec(0, "/disk/a", PAGE),
        done(),
        "exec-maps-program: mapped are only: the program and its stack; seen is 0 mappings",
    );
}

#[test]
fn exec_that_fails_changes_nothing() {
    let mut bench = Bench::new();
    bench.open("/ram/a", OpenFlags::READ | OpenFlags::CREATE);
    bench.accepts(exec(0, "/ram/b", 0), error(Errno::ENOENT));
    bench.accepts(exec(0, "/ram/a", 0), error(Errno::ENOEXEC));
    bench.accepts(exec(0, "/dev/blk0", 0), error(Errno::EACCES));
    bench.accepts(exec(0, "/disk/a", u64::MAX), error(Errno::ENOMEM));
    bench.accepts(exec(0, "/disk/a", 32 * PAGE), error(Errno::ENOMEM));
    // The text may have been put where it leaves no eight pages.
    bench.anonymous(0, 4);
    bench.accepts(exec(0, "/disk/a", 8 * PAGE), error(Errno::ENOMEM));
    bench.refuses(
        exec(0, "/disk/a", 4 * PAGE),
        error(Errno::ENOMEM),
        "out-of-memory-justified: allowed are only: success; seen is ENOMEM",
    );
}

#[test]
fn ptrace_looks_into_one_mapping() {
    let mut bench = Bench::new();
    bench.anonymous(0, 1);
    bench.anonymous(1, 1);
    let peek = |length| {
        by(
            1,
            Call::PtracePeek {
                process: Process(0),
                address: Address::Absolute(page(1) - 2),
                length,
            },
        )
    };
    bench.accepts(peek(1), error(Errno::ESRCH));
    bench.accepts(by(1, Call::PtraceAttach(Process(0))), done());
    bench.accepts(by(1, Call::PtraceAttach(Process(0))), error(Errno::EPERM));
    bench.accepts(peek(u64::MAX), read(&[0, 0]));
    bench.refuses(
        peek(4),
        read(&[0; 4]),
        "ptrace-within-mapping: allowed is only: 2 bytes; seen is success with 4 bytes",
    );
    let poke = |address, n| {
        by(
            1,
            Call::PtracePoke {
                process: Process(0),
                address: Address::Absolute(address),
                data: bytes(7, n),
            },
        )
    };
    bench.accepts(poke(page(2) - 1, 9), count(1));
    bench.accepts(poke(page(2), 1), error(Errno::EIO));
    bench.accepts(load(page(2) - 1, 1), read(&[7]));
    bench.accepts(by(1, Call::PtraceDetach(Process(0))), done());
    bench.accepts(poke(page(0), 1), error(Errno::ESRCH));
}

#[test]
fn listings() {
    let mut bench = Bench::new();
    bench.anonymous(0, 1);
    bench.anonymous(2, 2);
    let shown = bench.world.observe();
    let maps = || {
        call(Call::ProcessMaps {
            process: Process(0),
            chunk: 0,
        })
    };
    let listed = |mappings: &[MappingView]| Outcome::Ok(Value::Mappings(mappings.to_vec()));
    let mappings = &shown.processes[0].mappings;
    bench.accepts(maps(), listed(mappings));
    bench.refuses(
        maps(),
        listed(&mappings[..1]),
        "process-maps-listed: 0x1020-0x1040 rw- private anonymous; seen is no more mappings",
    );
    let all = || call(Call::SystemMaps { chunk: 0 });
    bench.accepts(all(), Outcome::Ok(Value::Regions(shown.regions.clone())));
    bench.refuses(
        all(),
        Outcome::Ok(Value::Regions(shown.regions[1..].to_vec())),
        "system-maps-listed: the next is 0x1000-0x1010 kept to 0x1010 rw- anonymous, 1 users; \
         seen is 0x1020-0x1040 kept to 0x1040 rw- anonymous, 1 users",
    );
}

#[test]
fn the_watermark_and_what_there_is_not() {
    let mut bench = Bench::new();
    bench.accepts(Operation::SetTrim(4), done());
    assert_eq!(bench.world.config.trim, 4);
    bench.refuses(
        Operation::SetTrim(0),
        error(Errno::EINVAL),
        "trim-sysctl: allowed are only: success; seen is EINVAL",
    );
    let mprotect = call(Call::Unsupported {
        call: UnsupportedCall::Mprotect,
        address: Address::Absolute(0),
        length: 0,
    });
    bench.accepts(mprotect.clone(), error(Errno::ENOSYS));
    bench.refuses(
        mprotect,
        done(),
        "unsupported-calls: allowed are only: ENOSYS (unsupported-calls); seen is success",
    );
}
