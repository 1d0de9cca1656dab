use crate::system::{P0, P1, PAGE, R, RW, RX, System, anonymous, private, shared};
use nommu_engine::{Errno, FlatMemory, MapsPosition, OpenFlags, Pid, Source};

#[test]
fn there_is_no_fork_and_clone_shares_memory() {
    let mut system = System::new();
    assert_eq!(system.engine.fork(P0), Err(Errno::ENOSYS));
    assert_eq!(system.engine.clone_process(P0, false), Err(Errno::EINVAL));
    let address = system.map(&anonymous(1));
    let fd = system.open("/disk/a", OpenFlags::READ);
    let child = system.engine.clone_process(P0, true).unwrap();
    system.caller = child;
    system.store(address, &[5]);
    let other = system.map(&private(fd, R, 0, 1));
    system.engine.close(child, fd).unwrap();
    system.caller = P0;
    assert_eq!(system.load(address, 1), [5]);
    system.engine.exit(P0).unwrap();
    system.agrees();
    system.caller = child;
    assert_eq!(system.mapped().len(), 2);
    system.unmap(other, 1);
    system.engine.exit(child).unwrap();
    system.agrees();
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn a_vfork_suspends_until_the_child_goes_its_way() {
    let mut system = System::new();
    let child = system.engine.vfork(P0).unwrap();
    assert!(!system.engine.is_runnable(P0));
    assert_eq!(system.engine.vfork(P0), Err(Errno::ESRCH));
    system.engine.exec(child, "/rom/a", PAGE).unwrap();
    system.agrees();
    assert!(system.engine.is_runnable(P0));
    let child = system.engine.vfork(P0).unwrap();
    system.engine.exit(child).unwrap();
    assert!(system.engine.is_runnable(P0));
    assert!(!system.engine.is_alive(child));
}

#[test]
fn exec_maps_a_program_and_its_stack() {
    let mut system = System::new();
    system.map(&anonymous(4));
    let fd = system.open("/rom/a", OpenFlags::READ);
    system.engine.exec(P0, "/rom/a", PAGE + 1).unwrap();
    system.agrees();
    let mut views = system.engine.mappings(P0);
    let stack = views.next().unwrap();
    let text = views.next().unwrap();
    assert_eq!((text.end - text.start, text.protection), (4 * PAGE, RX));
    assert_eq!((stack.end - stack.start, stack.protection), (2 * PAGE, RW));
    assert_eq!((stack.object, views.next()), (None, None));
    drop(views);
    assert_eq!(system.free_pages(), 62);
    assert_eq!(system.read(fd, 0, 4).len(), 4);
}

#[test]
fn an_exec_that_fails_changes_nothing() {
    let mut system = System::new();
    let address = system.map(&anonymous(1));
    system.memory_file("/ram/empty", 0);
    for (path, stack, error) in [
        ("/none", 0, Errno::ENOENT),
        ("/ram", 0, Errno::EACCES),
        ("/dev/chr0", 0, Errno::EACCES),
        ("/ram/empty", 0, Errno::ENOEXEC),
        ("/rom/a", 65 * PAGE, Errno::ENOMEM),
        ("/disk/a", u64::MAX, Errno::ENOMEM),
    ] {
        assert_eq!(system.engine.exec(P0, path, stack), Err(error));
        system.agrees();
        assert_eq!(system.mapped(), [(address, address + PAGE)]);
        assert_eq!(system.free_pages(), 63);
    }
}

#[test]
fn a_tracer_reads_and_writes_within_a_mapping() {
    let mut system = System::new();
    let fd = system.open("/disk/a", OpenFlags::READ);
    let text = system.map(&private(fd, R, 0, 1));
    let after = system.map(&anonymous(1));
    assert_eq!(after, text + PAGE, "the two are beside each other");
    let rom = system.open("/rom/a", OpenFlags::READ);
    let rom = system.map(&private(rom, R, 0, 1));
    let mut out = Vec::new();
    assert_eq!(
        system.engine.ptrace_peek(P1, P0, text, 1, &mut out),
        Err(Errno::ESRCH)
    );
    system.engine.ptrace_attach(P1, P0).unwrap();
    system
        .engine
        .ptrace_peek(P1, P0, text + PAGE - 2, u64::MAX, &mut out)
        .unwrap();
    assert_eq!(out.len(), 2, "no further than the mapping");
    assert_eq!(
        system.engine.ptrace_peek(P1, P0, 8, 1, &mut out),
        Err(Errno::EIO)
    );
    assert_eq!(
        system.engine.ptrace_peek(P1, P0, u64::MAX, 9, &mut out),
        Err(Errno::EIO)
    );
    let fill = Source::Fill { byte: 1, count: 9 };
    let mut poke = |address| system.engine.ptrace_poke(P1, P0, address, fill);
    assert_eq!(
        poke(text + PAGE - 2),
        Ok(2),
        "a copy, whatever its protection"
    );
    assert_eq!(poke(rom), Err(Errno::EIO));
    system.engine.ptrace_detach(P1, P0).unwrap();
    assert_eq!(system.engine.ptrace_detach(P1, P0), Err(Errno::ESRCH));
}

#[test]
fn who_is_traced_has_text_of_its_own() {
    let mut system = System::new();
    let fd = system.open("/disk/a", OpenFlags::READ);
    let offered = system.map(&private(fd, R, 0, 1));
    system.engine.ptrace_attach(P1, P0).unwrap();
    let own = system.map(&private(fd, R, 0, 1));
    assert_ne!(own, offered);
    system.unmap(offered, 1);
    system.caller = P1;
    let fd = system.open("/disk/a", OpenFlags::READ);
    assert_ne!(system.map(&private(fd, R, 0, 1)), own);
}

#[test]
fn tracing_is_permitted_or_not() {
    let mut system = System::new();
    let child = system.engine.clone_process(P0, true).unwrap();
    assert_eq!(system.engine.ptrace_attach(P0, P0), Err(Errno::EPERM));
    assert_eq!(system.engine.ptrace_attach(P0, Pid(99)), Err(Errno::ESRCH));
    system.engine.ptrace_attach(P0, P1).unwrap();
    assert_eq!(system.engine.ptrace_attach(child, P1), Err(Errno::EPERM));
    system.engine.exit(P0).unwrap();
    system.engine.ptrace_attach(child, P1).unwrap();
}

#[test]
fn futexes_are_words_in_mappings() {
    let mut system = System::new();
    let address = system.map(&anonymous(1));
    system.store(address, &7u32.to_le_bytes());
    let wait = |address, expected| system.engine.futex_wait(P0, address, expected);
    assert_eq!(wait(address, 7), Err(Errno::ETIMEDOUT));
    assert_eq!(wait(address, 8), Err(Errno::EAGAIN));
    assert_eq!(wait(address + 2, 7), Err(Errno::EINVAL));
    assert_eq!(wait(address + PAGE, 7), Err(Errno::EFAULT));
    assert_eq!(wait(u64::MAX - 3, 7), Err(Errno::EFAULT));
    assert_eq!(system.engine.futex_wake(P0, address, 3), Ok(0));
    let fd = system.open("/dev/chr0", OpenFlags::READ);
    let device = system.map(&shared(fd, R, 0, 1));
    assert_eq!(system.engine.futex_wake(P0, device, 1), Err(Errno::EFAULT));
}

#[test]
fn the_dead_do_not_call() {
    let mut system = System::new();
    system.engine.exit(P1).unwrap();
    system.caller = P1;
    system.cannot_map(&anonymous(1), Errno::ESRCH);
    assert_eq!(system.engine.exit(P1), Err(Errno::ESRCH));
    assert_eq!(system.engine.exit(Pid(u32::MAX)), Err(Errno::ESRCH));
    assert_eq!(system.engine.mappings(P1).count(), 0);
    let read = system
        .engine
        .read_process_maps(P1, &mut MapsPosition::default(), &mut [0; 9]);
    assert_eq!(read, Err(Errno::ESRCH));
}

#[test]
fn what_needs_an_mmu_is_not_there() {
    let system = System::new();
    type Call = fn(&nommu_engine::Engine<FlatMemory>, Pid, u64, u64) -> nommu_engine::Result<()>;
    let calls: [Call; 5] = [
        nommu_engine::Engine::mprotect,
        nommu_engine::Engine::msync,
        nommu_engine::Engine::mlock,
        nommu_engine::Engine::madvise,
        nommu_engine::Engine::mincore,
    ];
    for call in calls {
        assert_eq!(call(&system.engine, P0, 0, u64::MAX), Err(Errno::ENOSYS));
    }
}

#[test]
fn listings_are_in_linux_format() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 2 * PAGE);
    system.map(&shared(fd, RW, 1, 1));
    system.map(&anonymous(2));
    system.engine.unlink(P0, "/ram/a").unwrap();
    let read = |system: &System, all: bool| {
        let mut chunk = [0; 4096];
        let mut position = MapsPosition::default();
        let count = if all {
            system.engine.read_system_maps(&mut position, &mut chunk)
        } else {
            system
                .engine
                .read_process_maps(P0, &mut position, &mut chunk)
        };
        String::from_utf8(chunk[..count.unwrap()].to_vec()).unwrap()
    };
    let path = "                     /ram/a (deleted)";
    let shared = |letter| format!("40000040-40000080 rw-{letter} 00000040 00:01 12 {path:>37}\n");
    let anonymous = "40000080-40000100 rw-p 00000000 00:00 0 \n";
    let own = read(&system, false);
    assert_eq!(own.lines().count(), 2);
    assert!(own.ends_with(anonymous), "{own}");
    let line = own.lines().next().unwrap();
    assert_eq!(&line[..43], &shared('s')[..43]);
    assert_eq!(&line[73..], "/ram/a (deleted)");
    assert!(read(&system, true).starts_with("40000040-40000080 rw-S 00000040 00:01 12 "));
}
