//! Processes: how they go, how they trace each other; and the errors of SysV segments.

use crate::observation::Object;
use crate::op::{Call, Process, Protection, SegmentFlags};
use crate::outcome::Errno::{self, *};
use crate::outcome::{Outcome, Value};
use crate::rules::further_notes::names;
use crate::rules::gaps::memory::same_bytes;
use crate::rules::view::{self, copied_file, order};
use crate::rules::{Kinds, Step, Verdict, rules};
use crate::world::file::Kind;
use crate::world::space::{Backing, Mapping};
use Verdict::{Holds, NotApplicable, Violated};

rules! { "gaps":
    "exit-releases": Kinds::EXIT, 92, exit_releases;
    "exec-failure": Kinds::EXEC, 80, exec_failure;
    "traced-not-shared": Kinds::MMAP, 82, traced_not_shared;
    "ptrace-permission": Kinds::TRACE.union(Kinds::PEEK).union(Kinds::POKE), 83, ptrace_permission;
    "ptrace-within-mapping": Kinds::PEEK.union(Kinds::POKE), 82, ptrace_within_mapping;
    "shm-errors": Kinds::SHMGET.union(Kinds::SHMAT).union(Kinds::SHMDT).union(Kinds::SHMCTL), 80, shm_errors;
}

/// The mappings of an address space go with its last process, and not before.
fn exit_releases(step: &Step<'_>) -> Verdict {
    let Some((process, Call::Exit)) = step.call() else {
        return NotApplicable;
    };
    if !step.succeeded() {
        return Violated(format!("{}, expected success", step.answer()));
    }
    let Some(state) = step.before.process(process) else {
        return NotApplicable;
    };
    if step.after.process(process).is_some_and(|state| state.alive) {
        return Violated("the process lives".to_owned());
    }
    let space = usize::from(state.space.0);
    let others = step
        .after
        .processes
        .iter()
        .any(|other| other.alive && other.space == state.space);
    let before = step.before.spaces[space].mappings.len();
    let after = step.after.spaces[space].mappings.len();
    let expected = if others { before } else { 0 };
    if after != expected {
        return Violated(format!(
            "{after} mappings are left of {before}, expected {expected}"
        ));
    }
    let waits = step
        .after
        .processes
        .iter()
        .any(|other| other.alive && other.waits_for == Some(process));
    Verdict::demand(!waits, || "its parent is still suspended".to_owned())
}

/// exec fails for want of memory exactly when there is too little; the old program goes on.
fn exec_failure(step: &Step<'_>) -> Verdict {
    let Some((_, Call::Exec { path, stack })) = step.call() else {
        return NotApplicable;
    };
    let found = (0..)
        .zip(step.before.files.iter())
        .find(|(_, file)| !file.dead && file.path.as_ref() == Some(path));
    let due: &[Errno] = match found {
        None => &[ENOENT, EACCES],
        Some((_, file)) => match file.kind {
            Kind::Regular | Kind::MemoryBacked | Kind::ExecuteInPlace if file.size == 0 => {
                &[ENOEXEC]
            }
            Kind::Regular | Kind::MemoryBacked | Kind::ExecuteInPlace => &[],
            _ => &[EACCES, EISDIR],
        },
    };
    if !due.is_empty() {
        return Verdict::demand(step.failed_with(due), || {
            format!("{}, expected {}", step.answer(), names(due))
        });
    }
    if step.error() != Some(ENOMEM) || step.injected_failure {
        return NotApplicable;
    }
    // The text may be there already, or need no memory: then the stack alone must not fit.
    let size = step.before.page_size();
    let text = found.map_or(0, |(_, file)| file.size.div_ceil(size));
    let stack = stack.div_ceil(size);
    let fits = |pages: u64| pages == 0 || step.before.can_serve(order(pages)) != Some(false);
    let plenty = step.before.memory.free_pages().is_some_and(|free| {
        let granule = |pages: u64| {
            if pages == 0 {
                0
            } else {
                1u64 << order(pages).min(62)
            }
        };
        // Two granules always fit where four times the larger does in one piece.
        let larger = granule(text).max(granule(stack));
        free >= larger
            && larger > 0
            && step.before.can_serve(larger.trailing_zeros() + 2) == Some(true)
    });
    Verdict::demand(!(plenty && fits(text) && fits(stack)), || {
        format!("ENOMEM, and there is room for {text} and {stack} pages")
    })
}

/// What a traced process maps privately is its own: breakpoints must not show elsewhere.
fn traced_not_shared(step: &Step<'_>) -> Verdict {
    let Some(request) = step.private_read_request() else {
        return NotApplicable;
    };
    let Some((region, is_new)) = step.made_region() else {
        return NotApplicable;
    };
    if request.traced(step.before) {
        let offered = copied_file(region).is_some_and(|(_, _, reusable)| reusable);
        return Verdict::demand(is_new && !offered, || {
            format!(
                "it shows the memory at {:#x} with others, or offers it to them",
                region.start
            )
        });
    }
    if !is_new && copied_file(region).is_some_and(|(_, _, reusable)| !reusable) {
        let private = !region.protection.contains(Protection::WRITE);
        if private {
            return Violated(format!(
                "it shows the memory at {:#x}, which a traced process has for itself",
                region.start
            ));
        }
    }
    NotApplicable
}

/// Only a live process can be traced, by one other; only by that one it is looked at.
fn ptrace_permission(step: &Step<'_>) -> Verdict {
    let Some((caller, call)) = step.call() else {
        return NotApplicable;
    };
    let tracee = match call {
        Call::PtraceAttach(tracee) | Call::PtraceDetach(tracee) => *tracee,
        Call::PtracePeek { process, .. } | Call::PtracePoke { process, .. } => *process,
        _ => return NotApplicable,
    };
    let state = step.before.process(tracee).filter(|state| state.alive);
    let due: Vec<Errno> = match (call, state) {
        (Call::PtraceAttach(_), None) => vec![ESRCH],
        (Call::PtraceAttach(_), Some(state)) if tracee == caller || state.tracer.is_some() => {
            vec![EPERM]
        }
        (Call::PtraceAttach(_), Some(_)) => vec![],
        (_, Some(state)) if state.tracer == Some(caller) => vec![],
        _ => vec![ESRCH],
    };
    if !due.is_empty() {
        return Verdict::demand(step.failed_with(&due), || {
            format!("{}, expected {}", step.answer(), names(&due))
        });
    }
    match call {
        Call::PtraceAttach(_) | Call::PtraceDetach(_) => {
            let tracer = step.after.process(tracee).and_then(|state| state.tracer);
            let expected = matches!(call, Call::PtraceAttach(_)).then_some(caller);
            Verdict::demand(step.succeeded() && tracer == expected, || {
                format!(
                    "{}, expected success and the tracer to be {expected:?}",
                    step.answer()
                )
            })
        }
        Call::PtracePoke { address, data, .. } if data.count > 0 => {
            let address = view::at(step, *address);
            let mappings = covering(step, tracee, address);
            let may = mappings.iter().any(|mapping| pokable(step, mapping));
            match (mappings.is_empty(), may) {
                (true, _) => NotApplicable,
                (false, true) => Verdict::demand(step.succeeded(), || {
                    format!(
                        "{}, expected success: a poke minds no protection",
                        step.answer()
                    )
                }),
                (false, false) => Verdict::demand(step.failed_with(&[EIO]), || {
                    format!(
                        "{}, expected EIO: it would write the object itself",
                        step.answer()
                    )
                }),
            }
        }
        _ => NotApplicable,
    }
}

/// Memory of its own takes a poke whatever its protection; an object's only where it is mapped
/// shared and writable.
fn pokable(step: &Step<'_>, mapping: &Mapping) -> bool {
    match mapping.backing {
        Backing::Region(_) => true,
        Backing::Direct => {
            mapping.shared
                && mapping.protection.contains(Protection::WRITE)
                && view::file_of(mapping.object)
                    .is_none_or(|number| step.before.file(number).kind.takes_stores())
        }
    }
}

fn covering<'a>(step: &Step<'a>, process: Process, address: u64) -> Vec<&'a Mapping> {
    let space = step.before.space_of(process);
    space
        .iter()
        .flat_map(|space| &space.mappings)
        .filter(|mapping| mapping.contains(address, 1))
        .collect()
}

/// Access to a tracee's memory begins in one of its mappings and ends there.
fn ptrace_within_mapping(step: &Step<'_>) -> Verdict {
    let Some((caller, call)) = step.call() else {
        return NotApplicable;
    };
    let (tracee, address, length, pokes) = match call {
        Call::PtracePeek {
            process,
            address,
            length,
        } => (*process, *address, *length, false),
        Call::PtracePoke {
            process,
            address,
            data,
        } => (*process, *address, data.count, true),
        _ => return NotApplicable,
    };
    let traced = step
        .before
        .process(tracee)
        .is_some_and(|state| state.alive && state.tracer == Some(caller));
    if !traced || length == 0 || step.failed_by_injection() {
        return NotApplicable;
    }
    let address = view::at(step, address);
    let mappings = covering(step, tracee, address);
    let counts: Vec<u64> = mappings
        .iter()
        .map(|mapping| length.min(mapping.end - address))
        .collect();
    if counts.is_empty() {
        return Verdict::demand(step.failed_with(&[EIO, EFAULT]), || {
            format!(
                "{}, expected EIO: nothing is mapped at {address:#x}",
                step.answer()
            )
        });
    }
    match step.outcome {
        Outcome::Ok(Value::Count(count)) if pokes => {
            Verdict::demand(counts.contains(count), || {
                format!(
                    "{count} bytes, expected {}: there the mapping ends",
                    counts[0]
                )
            })
        }
        Outcome::Ok(Value::Bytes(bytes)) if !pokes => {
            let found = bytes.len() as u64;
            let Some(place) = counts.iter().position(|&count| count == found) else {
                return Violated(format!(
                    "{found} bytes, expected {}: there the mapping ends",
                    counts[0]
                ));
            };
            same_bytes(step.before, mappings[place], address, found, bytes)
        }
        _ if pokes => NotApplicable, // `ptrace-permission` speaks.
        _ => Violated(format!("{}, expected the tracee's bytes", step.answer())),
    }
}

/// SysV calls fail with the errors they should.
fn shm_errors(step: &Step<'_>) -> Verdict {
    let Some((process, call)) = step.call() else {
        return NotApplicable;
    };
    let due: &[Errno] = match call {
        Call::Shmget {
            key, size, flags, ..
        } => {
            let existing = step
                .before
                .segments
                .iter()
                .find(|segment| *key != 0 && !segment.dead && segment.key == Some(*key));
            match existing {
                Some(_) if flags.contains(SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE) => {
                    &[EEXIST]
                }
                Some(segment) if *size > segment.size => &[EINVAL],
                Some(_) => return NotApplicable,
                None if *key != 0 && !flags.contains(SegmentFlags::CREATE) => &[ENOENT],
                None if *size == 0 => &[EINVAL],
                None if *size > 1 << 30 => &[EINVAL, ENOMEM, ENOSPC],
                None => return NotApplicable,
            }
        }
        Call::Shmat { segment, .. } | Call::ShmRemove(segment) | Call::ShmStat(segment) => {
            match step.before.segment_name(*segment) {
                Some(segment) if !segment.dead => return NotApplicable,
                _ => &[EINVAL, EIDRM],
            }
        }
        Call::Shmdt(address) => {
            let address = view::at(step, *address);
            let attached = step.before.space_of(process).is_some_and(|space| {
                space.mappings.iter().any(|mapping| {
                    mapping.start == address && matches!(mapping.object, Some(Object::Segment(_)))
                })
            });
            if attached {
                return Verdict::demand(step.succeeded(), || {
                    format!(
                        "{}, expected success: a segment is attached there",
                        step.answer()
                    )
                });
            }
            &[EINVAL]
        }
        _ => return NotApplicable,
    };
    match step.failed_with(due) {
        true => Holds,
        false => Violated(format!("{}, expected {}", step.answer(), names(due))),
    }
}
