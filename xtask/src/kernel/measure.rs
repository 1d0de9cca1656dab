//! How fast a kernel answers.

use super::Edition;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_oracle::target::linux::Linux;
use nommu_oracle::target::{Target, TargetError};
use nommu_oracle::trace::Trace;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Traces that are performed, each in a fresh world.
const TRACES: u32 = 100;
/// How often a trace repeats its operations, with names of their own.
const ROUNDS: u32 = 16;

/// Measures, and prints what was found.
///
/// # Errors
///
/// When the kernel cannot be run, or does not do what every kernel does.
pub fn run(edition: Edition) -> Result<(), String> {
    let text = work();
    let trace = Trace::parse("work", text.as_bytes()).map_err(|problem| problem.report(false))?;
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let mut linux = Linux::new(&edition.to_string());
    let config = linux.offered(trace.header.config(Vec::new()));
    let words = |error: TargetError| error.to_string();

    let started = Instant::now();
    linux.reset(&config).map_err(words)?;
    let first_answer = started.elapsed().as_secs_f64();
    println!("linux {edition}");
    println!("  {:36} {first_answer:9.3} s", "boot to first answer");

    let mut resets = Vec::new();
    measure(&mut linux, "one at a time, each answer awaited", |linux| {
        let started = Instant::now();
        linux.reset(&config)?;
        resets.push(started.elapsed());
        let started = Instant::now();
        for operation in &operations {
            expect_success(operation, &linux.perform(operation)?)?;
        }
        Ok((operations.len(), started.elapsed()))
    })?;
    measure(&mut linux, "sent at once", |linux| {
        linux.reset(&config)?;
        let started = Instant::now();
        let outcomes = linux.perform_all(&operations)?;
        let spent = started.elapsed();
        for (operation, outcome) in operations.iter().zip(&outcomes) {
            expect_success(operation, outcome)?;
        }
        Ok((operations.len(), spent))
    })?;
    resets.sort();
    let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "  {:36} {:9.2} ms (longest {:.2} ms)",
        "a fresh world in the same boot",
        milliseconds(resets.get(resets.len() / 2)),
        milliseconds(resets.last()),
    );
    println!("  {:36} {:9}", "boots", linux.effort().starts());
    Ok(())
}

/// Anonymous memory, private copies and files, of two processes, all of which is given back.
fn work() -> String {
    let mut text = "#! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no processes=2 \
                    profile=documented\n"
        .to_string();
    for round in 0..ROUNDS {
        let process = round % 2;
        let (first, second) = (2 * round, 2 * round + 1);
        let _ = write!(
            text,
            "p{process}  m{first} = mmap(len=0x3000, prot=rw, flags=private)\n\
             p{process}  store(m{first}, \"A\"*256)\n\
             p{process}  load(m{first}, 0x40)\n\
             p{process}  f{round} = open(\"/disk/a\", r)\n\
             p{process}  m{second} = mmap(len=0x2000, prot=r, flags=private, fd=f{round}, off=0x0)\n\
             p{process}  load(m{second}, 0x40)\n\
             p{process}  munmap(m{first}, 0x3000)\n\
             p{process}  munmap(m{second}, 0x2000)\n\
             p{process}  read(f{round}, off=0x0, len=0x40)\n\
             p{process}  close(f{round})\n"
        );
    }
    text
}

fn expect_success(operation: &Operation, outcome: &Outcome) -> Result<(), TargetError> {
    match outcome {
        Outcome::Ok(_) => Ok(()),
        _ => Err(TargetError {
            target: "linux".into(),
            problem: format!("found {outcome:?} for {operation:?}, expected success"),
        }),
    }
}

/// Runs all traces in one way and tells of operations a second, and of the machine's processor
/// time, to which other work does not add.
fn measure(
    linux: &mut Linux,
    what: &str,
    mut once: impl FnMut(&mut Linux) -> Result<(usize, Duration), TargetError>,
) -> Result<(), String> {
    let (mut operations, mut spent) = (0, Duration::ZERO);
    let ticks = linux.processor_time();
    for _ in 0..TRACES {
        let (count, time) = once(linux).map_err(|error| error.to_string())?;
        operations += count;
        spent += time;
    }
    let each = spent.as_secs_f64() / operations.max(1) as f64;
    let processor = (linux.processor_time() - ticks) as f64 * 1e4 / operations.max(1) as f64;
    println!(
        "  {what:36} {:9.0} operations/s ({:.1} us each, {processor:.1} us of the machine's \
         processor, resets too)",
        1.0 / each,
        each * 1e6
    );
    Ok(())
}
