//! The text form and its messages.

mod arbitrary;
mod laws;
mod messages;

use super::Trace;
use insta::assert_snapshot;

/// What a text is read as, written in canonical form.
#[track_caller]
fn canonical(text: &str) -> String {
    match Trace::parse("test.trace", text.as_bytes()) {
        Ok(trace) => trace.to_string(),
        Err(problem) => panic!("{}", problem.report(false)),
    }
}

#[test]
fn reads_the_example_of_the_design() {
    assert_snapshot!(canonical(r#"
#! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=yes profile=documented
p0  f0 = open("/ram/a", create|rw)
p0  ftruncate(f0, 0x3000)
p0  m0 = mmap(len=0x3000, prot=rw, flags=shared, fd=f0, off=0)
p1  = vfork(p0)
p1  m1 = mmap(len=0x1000, prot=r, flags=private, fd=f0, off=0x1000)
p0  store(m0+0x1000, "A"*16)
p1  munmap(m1, 0x1000)
sysctl vm.nr_trim_pages=0
"#), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=yes profile=documented
    p0  f0 = open("/ram/a", create|rw)
    p0  ftruncate(f0, 0x3000)
    p0  m0 = mmap(len=0x3000, prot=rw, flags=shared, fd=f0, off=0x0)
    p1  = vfork(p0)
    p1  m1 = mmap(len=0x1000, prot=r, flags=private, fd=f0, off=0x1000)
    p0  store(m0+0x1000, "A"*16)
    p1  munmap(m1, 0x1000)
    sysctl vm.nr_trim_pages=0
    "#);
}

#[test]
fn reads_every_operation() {
    let text = r##"
p0 m0 = mmap(prot=none, len=8192, flags=anonymous|private)   # four keys in any order
p0 m1 = mmap(addr=m0-0x10, len=0xffffffffffffffff, prot=xwr, flags=fixed|uninitialized|shared|private, off=0x1000)
p0 m2 = mmap(len=0, prot=w, flags=none)
p0 munmap(m0 + 4096, 4096)
p0 m3 = mremap(m0, 0x1000, 0x2000)
p0 m4 = mremap(m3, 0x1000, 0x2000, maymove)
p0 m5 = mremap(m4, 0x1000, 0x2000, fixed|maymove, to=m4+0)
p0 load(m5, 0x8)
p0 store(0x1234, "\x00"*16)
p0 store(m0, "\""*1)
p0 store(m0, "\\")
p0 store(m0, "#"*2)
p0 f0 = open("/ram/a", rw|truncate|create)
p0 f1 = open("/rom", r)
p0 f2 f3 = pipe()
p0 f4 = socket()
p0 close(f4)
p0 f5 = dup(f0)
p0 read(f0, off=0, len=16)
p0 write(f0, off=0x10, "B"*4096)
p0 ftruncate(f0, 0x3000)
p0 truncate("/ram/a", 12)
p0 unlink("/ram/a")
p1 = fork(p0)
p2 = vfork(p0)
p3 = clone(p0, vm)
p4 = clone(p0)
p3 exec("/rom/a", stack=0x1000)
p3 exec("/rom/b")
p3 exit()
p0 ptrace_attach(p1)
p0 ptrace_peek(p1, m0, 8)
p0 ptrace_poke(p1, m0, "z"*4)
p0 ptrace_detach(p1)
p0 s0 = shmget(key=1, size=0x2000, create|exclusive)
p0 s1 = shmget(key=private, size=0x2000)
p0 m6 = shmat(s0)
p0 m7 = shmat(s0, readonly)
p0 shmdt(m6)
p0 shmctl(s0, remove)
p0 shmctl(s0, stat)
p0 futex_wait(m0+4, 0)
p0 futex_wake(m0+4, 1)
p0 maps()
p0 maps(chunk=16)
p0 maps(p1)
p0 maps(p1, chunk=0x10)
p0 mprotect(m0, 0x1000)
p0 msync(m0, 0x1000)
p0 mlock(m0, 0x1000)
p0 madvise(m0, 0x1000)
p0 mincore(m0, 0x1000)
sysctl vm.nr_trim_pages = 4
driver "/dev/chr0" capabilities=default area=enosys mmap=einval
driver "/dev/chr1" capabilities=direct|copy|read|write|exec area=absent mmap=ok read=no busy=yes
driver "/dev/mtd0" capabilities=none
# the end
"##;
    let written = canonical(text);
    assert_eq!(canonical(&written), written);
    assert_snapshot!(written);
}

#[test]
fn keeps_comments() {
    assert_snapshot!(canonical(
        "# before\n#! nommu-trace v1 pages=8\n\n#after\n#  deeper \np0  exit() # beside\n#\n# below"
    ), @r"
    #! nommu-trace v1 page=4096 pages=8 trim=1 uninitialized=no profile=documented
    # before
    # after
    #  deeper
    p0  exit()  # beside
    #
    # below
    ");
}

#[test]
fn an_empty_text_is_a_trace_without_operations() {
    let trace = Trace::parse("test.trace", b"").expect("nothing is wrong with it");
    assert_eq!(trace, Trace::default());
}

/// Every example of the reference page is read, and is in canonical form.
#[test]
fn the_reference_page_is_true() {
    let page = include_str!("../../../../specs/trace.md");
    let examples: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix("` |"))
        .filter_map(|line| Some(line.rsplit_once('`')?.1.replace("\\|", "|")))
        .filter(|example| {
            ["p0  ", "p1  ", "sysctl ", "driver "]
                .iter()
                .any(|start| example.starts_with(start))
        })
        .collect();
    assert_eq!(examples.len(), 40);
    for example in &examples {
        // Each example stands alone: what it uses but does not bind is bound before it.
        let bound: String = ["f0", "m0", "s0"]
            .iter()
            .filter(|name| !example.contains(&format!("{name} =")) && !example.contains("f0 f1 ="))
            .map(|name| match *name {
                "f0" => "p0  f0 = socket()\n",
                "m0" => "p0  m0 = mmap(len=0x1, prot=r, flags=private)\n",
                _ => "p0  s0 = shmget(key=private, size=0x1)\n",
            })
            .collect();
        let processes = if example.starts_with("p1  =") { 1 } else { 2 };
        let text = format!("#! nommu-trace v1 processes={processes}\n{bound}{example}\n");
        let written = canonical(&text);
        assert_eq!(written.lines().last(), Some(example.as_str()));
    }
    let block = page
        .split("```")
        .nth(1)
        .expect("the page begins with an example");
    assert_eq!(canonical(block), block.trim_start());
}
