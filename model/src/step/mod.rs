//! What each operation may do: given a world, an operation and what an implementation
//! answered, the next world or a refusal.
//!
//! The model accepts, it does not predict. Where the document leaves a choice (an address, an
//! error, whether a mapping that may be direct is), the answer makes it and the model decides
//! whether that was allowed. Each family of operations has a file; each begins with the errors
//! that are due and ends with what success changes.

mod access;
mod allocate;
pub mod blame;
mod descriptor;
mod driver;
mod due;
mod exec;
mod file;
mod futex;
mod listing;
mod map_file;
mod map_plan;
mod map_reuse;
mod mmap;
mod mremap;
mod munmap;
mod open;
mod process;
mod ptrace;
mod release;
mod segment;
mod system;
mod transfer;
mod truncate;

#[cfg(test)]
pub(crate) mod tests;

use crate::observation::{Contents, Observation, Sight};
use crate::op::{Call, MappingName, Operation, Process};
use crate::outcome::{Errno, Outcome, Value};
use crate::world::World;
use crate::world::space::SpaceNumber;

/// Names a rule of `specs/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub &'static str);

impl std::fmt::Display for RuleId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What an implementation answered to one operation, and what it showed afterwards.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// What it returned.
    pub outcome: &'a Outcome,
    /// What it showed, as far as `sight` says.
    pub seen: &'a Observation,
    /// What it can show.
    pub sight: Sight,
    /// Shows bytes; asked only with [`Sight::CONTENTS`], and only about what the document
    /// leaves undetermined.
    pub contents: &'a dyn Contents,
    /// Whether an allocation was made to fail during the operation.
    pub injected_failure: bool,
}

/// An answer that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rules it breaks.
    pub rules: Vec<RuleId>,
    /// What would have been allowed: "allowed are only: ...".
    pub expected: String,
    /// What was answered.
    pub seen: String,
    /// Whether it is wrong of who calls, and says nothing of what was called.
    pub about_caller: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            write!(formatter, "{}{rule}", if index == 0 { "" } else { ", " })?;
        }
        let colon = if self.rules.is_empty() { "" } else { ": " };
        write!(formatter, "{colon}{}; seen is {}", self.expected, self.seen)
    }
}

impl std::error::Error for Refusal {}

/// Makes one step, or says why an answer is not allowed.
///
/// The operation must be [`World::performable`]. An operation that fails leaves the world as
/// it was, but for what drivers were asked and the names of processes. One that the target
/// does not support ([`Outcome::Unsupported`]) does the same.
///
/// # Errors
///
/// When the contract does not allow the answer. The world may be changed then: who needs the
/// one before keeps a copy, which costs little.
pub fn step(world: &mut World, operation: &Operation, answer: &Answer<'_>) -> Result<(), Refusal> {
    if let Outcome::Crash(_) = answer.outcome {
        return Err(refuse(
            &["errors-change-nothing"],
            "allowed is only: an answer",
            describe(answer.outcome),
        ));
    }
    match operation {
        Operation::Call(process, call) => {
            let Some(space) = world.live_space(*process) else {
                let caller = format!("a call by a live process, and p{} is none", process.0);
                return Err(refuse(&["exit-releases"], caller, describe(answer.outcome)));
            };
            if *answer.outcome == Outcome::Error(Errno::ESRCH) && !asks_for_a_process(call) {
                let caller = format!(
                    "an answer to p{}, which lives and waits for nobody",
                    process.0
                );
                let mut refusal = refuse(&["exit-releases"], caller, describe(answer.outcome));
                refusal.about_caller = true;
                return Err(refusal);
            }
            let unsupported = matches!(answer.outcome, Outcome::Unsupported);
            if unsupported || failed_for_want_of_memory(world, call, answer)? {
                process::name_child(world, call);
                return Ok(());
            }
            self::call(
                world,
                Caller {
                    process: *process,
                    space,
                },
                call,
                answer,
            )
        }
        Operation::SetTrim(pages) => system::set_trim(world, *pages, answer),
        Operation::Driver(path, script) => system::driver(world, path, script, answer),
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
struct Caller {
    process: Process,
    space: SpaceNumber,
}

fn call(
    world: &mut World,
    caller: Caller,
    call: &Call,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    match *call {
        Call::Mmap(ref call) => mmap::mmap(world, caller, call, answer),
        Call::Munmap { address, length } => munmap::munmap(world, caller, address, length, answer),
        Call::Mremap { .. } => mremap::mremap(world, caller, call, answer),
        Call::Load { address, length } => access::load(world, caller, address, length, answer),
        Call::Store { address, data } => access::store(world, caller, address, data, answer),
        Call::Open {
            result,
            ref path,
            flags,
        } => open::open(world, caller, result, path, flags, answer),
        Call::Pipe { reading, writing } => {
            descriptor::pipe(world, caller, reading, writing, answer)
        }
        Call::Socket { result } => descriptor::socket(world, caller, result, answer),
        Call::Close(descriptor) => descriptor::close(world, caller, descriptor, answer),
        Call::Dup { result, descriptor } => {
            descriptor::dup(world, caller, result, descriptor, answer)
        }
        Call::Read {
            descriptor,
            offset,
            length,
        } => transfer::read(world, caller, descriptor, offset, length, answer),
        Call::Write {
            descriptor,
            offset,
            data,
        } => transfer::write(world, caller, descriptor, offset, data, answer),
        Call::Ftruncate { descriptor, length } => {
            truncate::ftruncate(world, caller, descriptor, length, answer)
        }
        Call::Truncate { ref path, length } => truncate::truncate(world, path, length, answer),
        Call::Unlink(ref path) => open::unlink(world, path, answer),
        Call::Fork { .. } => process::fork(world, caller, call, answer),
        Call::Vfork { result } => process::vfork(world, caller, result, answer),
        Call::Clone {
            result,
            shares_memory,
        } => process::clone(world, caller, result, shares_memory, answer),
        Call::Exec { ref path, stack } => exec::exec(world, caller, path, stack, answer),
        Call::Exit => process::exit(world, caller, answer),
        Call::PtraceAttach(process) => ptrace::attach(world, caller, process, answer),
        Call::PtraceDetach(process) => ptrace::detach(world, caller, process, answer),
        Call::PtracePeek {
            process,
            address,
            length,
        } => ptrace::peek(world, caller, process, address, length, answer),
        Call::PtracePoke {
            process,
            address,
            data,
        } => ptrace::poke(world, caller, process, address, data, answer),
        Call::Shmget {
            result,
            key,
            size,
            flags,
        } => segment::get(world, result, key, size, flags, answer),
        Call::Shmat {
            result,
            segment,
            read_only,
        } => segment::attach(world, caller, result, segment, read_only, answer),
        Call::Shmdt(address) => segment::detach(world, caller, address, answer),
        Call::ShmRemove(segment) => segment::remove(world, segment, answer),
        Call::ShmStat(segment) => segment::stat(world, segment, answer),
        Call::FutexWait { address, expected } => {
            futex::wait(world, caller, address, expected, answer)
        }
        Call::FutexWake { address, .. } => futex::wake(world, caller, address, answer),
        Call::SystemMaps { .. } => listing::system(world, answer),
        Call::ProcessMaps { process, .. } => listing::process(world, process, answer),
        Call::Unsupported { .. } => system::unsupported(answer),
    }
}

/// Whether the call failed because an allocation was made to fail. Then nothing but ENOMEM may
/// be answered, unless another error is due anyway or part of a write was done.
fn failed_for_want_of_memory(
    world: &mut World,
    call: &Call,
    answer: &Answer<'_>,
) -> Result<bool, Refusal> {
    if !answer.injected_failure {
        return Ok(false);
    }
    let allowed = match (answer.outcome, call) {
        (Outcome::Error(Errno::ENOMEM), _) => true,
        (Outcome::Error(Errno::ENOSPC), Call::Write { .. }) => true,
        (Outcome::Error(_), _) | (Outcome::Ok(_), Call::Write { .. }) => return Ok(false),
        _ => false,
    };
    if !allowed {
        return Err(refuse(
            &["errors-change-nothing"],
            "allowed are only: ENOMEM (an allocation was made to fail)",
            describe(answer.outcome),
        ));
    }
    // A driver may have been asked before the allocation.
    driver::adopt_counts(world, answer)?;
    Ok(true)
}

/// A refusal.
fn refuse(rules: &[&'static str], expected: impl Into<String>, seen: impl Into<String>) -> Refusal {
    Refusal {
        rules: rules.iter().map(|rule| RuleId(rule)).collect(),
        expected: expected.into(),
        seen: seen.into(),
        about_caller: false,
    }
}

/// Whether a call is about a process that it names, which may not be there.
fn asks_for_a_process(call: &Call) -> bool {
    matches!(
        call,
        Call::PtraceAttach(_)
            | Call::PtraceDetach(_)
            | Call::PtracePeek { .. }
            | Call::PtracePoke { .. }
            | Call::ProcessMaps { .. }
    )
}

/// An outcome in a few words.
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Error(errno) => errno.to_string(),
        Outcome::Crash(words) => format!("a crash: {words}"),
        Outcome::Unsupported => "unsupported".to_owned(),
        Outcome::Ok(value) => match value {
            Value::Done => "success".to_owned(),
            Value::Address(address) => format!("success at {address:#x}"),
            Value::Count(count) => format!("success with a count of {count}"),
            Value::Bytes(bytes) => format!("success with {} bytes", bytes.len()),
            Value::Mappings(mappings) => format!("success with {} mappings", mappings.len()),
            Value::Regions(regions) => format!("success with {} regions", regions.len()),
            Value::Segment { size, attached } => {
                format!("success with size {size:#x} and {attached} attached")
            }
        },
    }
}

/// Holds a call that returns nothing but success to that.
fn done(value: &Value, rule: &'static str) -> Result<(), Refusal> {
    match value {
        Value::Done => Ok(()),
        _ => Err(wrong_value(value, "success", rule)),
    }
}

/// The address that a call returned.
fn address(value: &Value, rule: &'static str) -> Result<u64, Refusal> {
    match value {
        Value::Address(address) => Ok(*address),
        _ => Err(wrong_value(value, "an address", rule)),
    }
}

fn wrong_value(value: &Value, expected: &str, rule: &'static str) -> Refusal {
    let seen = describe(&Outcome::Ok(value.clone()));
    refuse(&[rule], format!("allowed is only: {expected}"), seen)
}

/// Records what a name stands for from now on.
fn bind(world: &mut World, name: MappingName, address: u64) {
    let index = usize::from(name.0);
    let names = &mut world.names.mappings;
    if names.len() <= index {
        names.resize(index + 1, 0);
    }
    names[index] = address;
}
