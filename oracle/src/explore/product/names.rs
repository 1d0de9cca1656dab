//! Paths through a scope as traces: names in the place of numbers.

use super::Product;
use crate::trace::Trace;
use nommu_model::op::{Address, Call, Descriptor, MappingName, Operation, Process, SegmentName};
use nommu_model::outcome::{Outcome, Value};
use std::collections::BTreeMap;

/// The trace that performs operations of a scope, each name bound once and in order.
pub fn trace(product: &Product, operations: &[Operation]) -> Trace {
    let mut names = Names::default();
    // The last operation may have no outcome that is agreed on, or never end. Nothing names what
    // it returned.
    let before = &operations[..operations.len().saturating_sub(1)];
    let (outcomes, _) = product.perform(before);
    let unknown = Outcome::Unsupported;
    let outcomes = outcomes.iter().chain(std::iter::repeat(&unknown));
    let named = operations.iter().zip(outcomes);
    let named: Vec<Operation> = named
        .map(|(operation, outcome)| names.name(operation, outcome))
        .collect();
    Trace::new(product.scope().header.clone(), named)
}

/// What things are called so far.
#[derive(Default)]
struct Names {
    /// What each name of an address stands for, with the length.
    mappings: Vec<(u64, u64)>,
    /// By process and number.
    descriptors: BTreeMap<(Process, Descriptor), Descriptor>,
    next_descriptor: u16,
    /// By number.
    segments: BTreeMap<SegmentName, SegmentName>,
    next_segment: u16,
}

impl Names {
    fn name(&mut self, operation: &Operation, outcome: &Outcome) -> Operation {
        let Operation::Call(process, call) = operation else {
            return operation.clone();
        };
        let mut call = call.clone();
        self.arguments(*process, &mut call);
        self.results(*process, &mut call, outcome);
        Operation::Call(*process, call)
    }

    /// Puts names in the place of what is passed.
    fn arguments(&self, process: Process, call: &mut Call) {
        match call {
            Call::Mmap(mmap) => {
                if let Some(descriptor) = &mut mmap.descriptor {
                    self.descriptor(process, descriptor);
                }
            }
            Call::Mremap {
                address,
                new_address,
                ..
            } => {
                self.address(address);
                if let Some(address) = new_address {
                    self.address(address);
                }
            }
            Call::Munmap { address, .. }
            | Call::Load { address, .. }
            | Call::Store { address, .. }
            | Call::PtracePeek { address, .. }
            | Call::PtracePoke { address, .. }
            | Call::FutexWait { address, .. }
            | Call::FutexWake { address, .. }
            | Call::Unsupported { address, .. }
            | Call::Shmdt(address) => self.address(address),
            Call::Close(descriptor)
            | Call::Dup { descriptor, .. }
            | Call::Read { descriptor, .. }
            | Call::Write { descriptor, .. }
            | Call::Ftruncate { descriptor, .. } => self.descriptor(process, descriptor),
            Call::Shmat { segment, .. } | Call::ShmRemove(segment) | Call::ShmStat(segment) => {
                if let Some(name) = self.segments.get(segment) {
                    *segment = *name;
                }
            }
            _ => {}
        }
    }

    /// The last name whose memory an address is in, or just behind.
    fn address(&self, address: &mut Address) {
        let Address::Absolute(number) = *address else {
            return;
        };
        let places = (0..u16::MAX).zip(&self.mappings).collect::<Vec<_>>();
        let within = |end_too: bool| {
            places.iter().rev().find(|&&(_, &(start, length))| {
                let offset = number.wrapping_sub(start);
                start != 0 && (offset < length || (end_too && offset == length))
            })
        };
        if let Some(&(name, &(start, _))) = within(false).or_else(|| within(true)) {
            *address = Address::Of(MappingName(name), number.wrapping_sub(start) as i64);
        }
    }

    fn descriptor(&self, process: Process, descriptor: &mut Descriptor) {
        // One that is not open here may be another process's.
        let own = self.descriptors.get(&(process, *descriptor));
        let mut all = self.descriptors.iter();
        let mut others = || all.find(|((_, number), _)| number == descriptor);
        if let Some(name) = own.or_else(|| others().map(|(_, name)| name)) {
            *descriptor = *name;
        }
    }

    /// Gives names to what is returned.
    fn results(&mut self, process: Process, call: &mut Call, outcome: &Outcome) {
        let start = match outcome {
            Outcome::Ok(Value::Address(start)) => *start,
            _ => 0,
        };
        match call {
            Call::Mmap(mmap) => mmap.result = self.bind(start, mmap.length),
            Call::Mremap {
                result, new_length, ..
            } => *result = self.bind(start, *new_length),
            // How long it is, only the segment knows.
            Call::Shmat { result, .. } => *result = self.bind(start, 1),
            Call::Open { result, .. } | Call::Socket { result } | Call::Dup { result, .. } => {
                *result = self.open(process, *result);
            }
            Call::Pipe { reading, writing } => {
                *reading = self.open(process, *reading);
                *writing = self.open(process, *writing);
            }
            Call::Vfork { result } | Call::Clone { result, .. } => {
                let own = self.descriptors.range((process, Descriptor(0))..);
                let own = own.take_while(|((owner, _), _)| *owner == process);
                let inherited: Vec<_> = own
                    .map(|(&(_, number), &name)| ((*result, number), name))
                    .collect();
                self.descriptors.extend(inherited);
            }
            Call::Shmget { result, .. } => {
                let name = SegmentName(self.next_segment);
                self.next_segment += 1;
                self.segments.insert(*result, name);
                *result = name;
            }
            _ => {}
        }
    }

    fn bind(&mut self, start: u64, length: u64) -> MappingName {
        self.mappings.push((start, length));
        MappingName(self.mappings.len() as u16 - 1)
    }

    fn open(&mut self, process: Process, number: Descriptor) -> Descriptor {
        let name = Descriptor(self.next_descriptor);
        self.next_descriptor += 1;
        self.descriptors.insert((process, number), name);
        name
    }
}
