//! Operations as they were once performed, about everything that they could be about.
//!
//! A scope that is made of a trace has templates in the place of offers. Names in them stand
//! for whatever there is of their kind: a mapping's for the beginning of each mapping of the
//! process, a descriptor's for each descriptor, a process's for each that lives.

use super::offers::Offers;
use super::{Scope, SegmentsOffer};
use nommu_model::op::{Address, Call, Descriptor, MappingName, Operation, Process, SegmentName};

/// An operation for everything that it could be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The operation. Offsets of addresses count from the beginning of a mapping.
    pub operation: Operation,
    /// Whether it is about memory and descriptors that are gone, too.
    pub gone: bool,
}

/// Pages that are tried where memory is gone: all of a small window.
const PLACES: u64 = 16;

impl Scope {
    /// Appends what is not about a process.
    pub(super) fn settings(&self, operations: &mut Vec<Operation>) {
        let settings = self.templates.iter().map(|template| &template.operation);
        let settings = settings.filter(|operation| !matches!(operation, Operation::Call(..)));
        operations.extend(settings.cloned());
    }
}

impl Offers<'_> {
    /// Appends what templates are of one process.
    pub(super) fn templates(&mut self) {
        let start = self.operations.len();
        for template in &self.scope.templates {
            if let Operation::Call(_, call) = &template.operation {
                self.template(call, template.gone);
            }
        }
        // The same from two templates, and what nobody is asked to perform.
        let made = self.operations.split_off(start);
        for operation in made {
            let is_new = !self.operations[start..].contains(&operation);
            if is_new && self.world.performable(&operation).is_ok() {
                self.operations.push(operation);
            }
        }
    }

    fn template(&mut self, call: &Call, gone: bool) {
        match call {
            Call::Shmget {
                key, size, flags, ..
            } => self.shmget(&SegmentsOffer {
                keys: vec![*key],
                sizes: vec![*size],
                flags: vec![*flags],
                read_only: false,
            }),
            Call::PtraceAttach(_)
            | Call::PtraceDetach(_)
            | Call::PtracePeek { .. }
            | Call::PtracePoke { .. }
            | Call::ProcessMaps { .. } => {
                for number in 0..self.world.processes.len() {
                    let other = Process(number as u16);
                    if !self.world.processes[number].alive {
                        continue;
                    }
                    let mut call = call.clone();
                    match &mut call {
                        Call::PtraceAttach(process)
                        | Call::PtraceDetach(process)
                        | Call::PtracePeek { process, .. }
                        | Call::PtracePoke { process, .. }
                        | Call::ProcessMaps { process, .. } => *process = other,
                        _ => {}
                    }
                    self.placed(call, other, gone);
                }
            }
            _ => self.placed(call.clone(), self.process, gone),
        }
    }

    /// The call with each address that its own could be, of a process's memory.
    fn placed(&mut self, call: Call, whose: Process, gone: bool) {
        let mut calls = vec![call];
        for which in 0..2 {
            let before = std::mem::take(&mut calls);
            for mut call in before {
                let Some(&mut Address::Of(_, offset)) = address(&mut call, which) else {
                    calls.push(call);
                    continue;
                };
                for base in self.bases(whose, gone) {
                    let mut call = call.clone();
                    if let Some(place) = address(&mut call, which) {
                        *place = Address::Absolute(base.wrapping_add_signed(offset));
                    }
                    calls.push(call);
                }
            }
        }
        calls.into_iter().for_each(|call| self.named(call, gone));
    }

    /// Where memory of a process begins.
    fn bases(&self, whose: Process, gone: bool) -> Vec<u64> {
        let mappings = self.mappings_of(whose).iter();
        let mut bases: Vec<u64> = mappings.map(|mapping| mapping.start).collect();
        if gone && let Some(window) = self.world.config.window {
            let page = self.world.config.page_size;
            bases.extend((0..window.pages.min(PLACES)).map(|number| window.start + number * page));
        }
        let mut seen = Vec::new();
        bases.retain(|base| {
            let is_new = !seen.contains(base);
            seen.push(*base);
            is_new
        });
        bases
    }

    /// The call with each descriptor and segment that its own could be, and new names for
    /// what it makes.
    fn named(&mut self, mut call: Call, gone: bool) {
        let next_process = Process(self.world.processes.len() as u16);
        match &mut call {
            Call::Mmap(mmap) => mmap.result = MappingName(0),
            Call::Mremap { result, .. } | Call::Shmat { result, .. } => *result = MappingName(0),
            Call::Fork { result } | Call::Vfork { result } | Call::Clone { result, .. } => {
                *result = next_process;
            }
            Call::Open { result, .. } | Call::Socket { result } | Call::Dup { result, .. } => {
                let Some([unused]) = self.unused() else {
                    return;
                };
                *result = unused;
            }
            Call::Pipe { reading, writing } => {
                let Some([one, other]) = self.unused() else {
                    return;
                };
                (*reading, *writing) = (one, other);
            }
            _ => {}
        }
        if descriptor(&mut call).is_some() {
            let descriptors = self.descriptors().into_iter().map(|(own, _)| own);
            let closed = self.unused().filter(|_| gone).map(|[closed]| closed);
            for own in descriptors.chain(closed) {
                let mut call = call.clone();
                if let Some(place) = descriptor(&mut call) {
                    *place = own;
                }
                self.call(call);
            }
            return;
        }
        if segment(&mut call).is_some() {
            for number in 0..self.world.segments.len() {
                let mut call = call.clone();
                if let Some(place) = segment(&mut call) {
                    *place = SegmentName(number as u16);
                }
                self.call(call);
            }
            return;
        }
        self.call(call);
    }
}

/// The first or second address that a call is given.
pub fn address(call: &mut Call, which: usize) -> Option<&mut Address> {
    match call {
        Call::Mmap(mmap) if which == 0 => mmap.address.as_mut(),
        Call::Mremap { new_address, .. } if which == 1 => new_address.as_mut(),
        Call::Mremap { address, .. }
        | Call::Munmap { address, .. }
        | Call::Load { address, .. }
        | Call::Store { address, .. }
        | Call::PtracePeek { address, .. }
        | Call::PtracePoke { address, .. }
        | Call::FutexWait { address, .. }
        | Call::FutexWake { address, .. }
        | Call::Unsupported { address, .. }
        | Call::Shmdt(address)
            if which == 0 =>
        {
            Some(address)
        }
        _ => None,
    }
}

/// The descriptor that a call is given.
pub fn descriptor(call: &mut Call) -> Option<&mut Descriptor> {
    match call {
        Call::Mmap(mmap) => mmap.descriptor.as_mut(),
        Call::Close(descriptor)
        | Call::Dup { descriptor, .. }
        | Call::Read { descriptor, .. }
        | Call::Write { descriptor, .. }
        | Call::Ftruncate { descriptor, .. } => Some(descriptor),
        _ => None,
    }
}

/// The segment that a call is given.
fn segment(call: &mut Call) -> Option<&mut SegmentName> {
    match call {
        Call::Shmat { segment, .. } | Call::ShmRemove(segment) | Call::ShmStat(segment) => {
            Some(segment)
        }
        _ => None,
    }
}
