//! The engine with a fault that is put in from outside.

use crate::target::engine::{EngineTarget, UNCLEARED};
use crate::target::{Target, TargetError, Touched};
use nommu_engine::Memory;
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::{Call, Operation};
use nommu_model::outcome::{Errno, Outcome, Value};
use nommu_model::world::config::Config;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the control.
    None,
    /// Anonymous memory is not cleared.
    Uncleared,
    /// The free block with the highest address is not shown after the first munmap.
    Leak,
    /// The same after an allocation failed.
    LeakOnFailure,
    /// A munmap writes to the first page of some other mapping.
    StrayWrite,
    /// A length of zero is answered with ENOMEM.
    WrongError,
    /// The second mapping of a process kills the system.
    Crash,
    /// A munmap panics, which nobody catches.
    Panic,
    /// A load of exactly 13 bytes gives one byte too many: rarely found.
    Rare,
}

/// The engine, and a fault.
pub struct Faulty {
    engine: EngineTarget,
    fault: Fault,
    /// From now on, a free block is not shown.
    leaks: bool,
    seen: Observation,
}

impl Faulty {
    pub fn new(fault: Fault) -> Self {
        Self {
            engine: EngineTarget::new(),
            fault,
            leaks: false,
            seen: Observation::default(),
        }
    }

    fn mappings(&self) -> usize {
        let processes = self.seen.processes.iter();
        processes.map(|process| process.mappings.len()).sum()
    }
}

impl Target for Faulty {
    fn name(&self) -> &str {
        "faulty engine"
    }

    fn sight(&self) -> Sight {
        self.engine.sight()
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        self.leaks = false;
        self.engine.reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        let outcome = self.engine.perform(operation)?;
        self.leaks |= self.fault == Fault::LeakOnFailure && self.engine.injected_failure();
        let Operation::Call(_, call) = operation else {
            return Ok(outcome);
        };
        Ok(match (self.fault, call, outcome) {
            (Fault::Uncleared, Call::Mmap(call), Outcome::Ok(Value::Address(start)))
                if call.descriptor.is_none() =>
            {
                if let Some(engine) = self.engine.engine_mut() {
                    engine.memory_mut().fill(start, 1, UNCLEARED);
                }
                Outcome::Ok(Value::Address(start))
            }
            (Fault::Leak, Call::Munmap { .. }, Outcome::Ok(value)) => {
                self.leaks = true;
                Outcome::Ok(value)
            }
            (Fault::StrayWrite, Call::Munmap { .. }, Outcome::Ok(value)) => {
                let other = self.seen.regions.iter().find(|region| region.copy);
                if let (Some(region), Some(engine)) = (other, self.engine.engine_mut()) {
                    engine.memory_mut().fill(region.start, 1, 0x66);
                }
                Outcome::Ok(value)
            }
            (Fault::WrongError, Call::Mmap(call), Outcome::Error(_)) if call.length == 0 => {
                Outcome::Error(Errno::ENOMEM)
            }
            (Fault::Crash, Call::Mmap(_), Outcome::Ok(_)) if self.mappings() > 0 => {
                Outcome::Crash("canary".to_owned())
            }
            (Fault::Panic, Call::Munmap { .. }, _) => panic!("on purpose"),
            (Fault::Rare, Call::Load { length: 13, .. }, Outcome::Ok(Value::Bytes(mut bytes))) => {
                bytes.push(0);
                Outcome::Ok(Value::Bytes(bytes))
            }
            (_, _, outcome) => outcome,
        })
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        self.engine.observe(observation)?;
        if self.leaks {
            observation.free.pop();
        }
        self.seen.clone_from(observation);
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        self.engine.touched()
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        self.engine.fail_allocation(n)
    }

    fn injected_failure(&self) -> bool {
        self.engine.injected_failure()
    }
}

impl Contents for Faulty {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.engine.memory(address, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        self.engine.file(number, offset, bytes)
    }
}
