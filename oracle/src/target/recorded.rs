//! Answers that were recorded, replayed as a target of their own.
//!
//! A batch target answers a whole trace before anything is judged. Its answers are put here, a
//! step each, and lockstep takes them as if they came from the implementation itself.

use super::{Answered, Place, Target, TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::collections::BTreeMap;

/// The answers of one run of one trace.
#[derive(Debug)]
pub struct Recorded {
    name: String,
    sight: Sight,
    answers: Vec<Answered>,
    /// Answers that were given.
    next: usize,
    page_size: u64,
    memory: BTreeMap<u64, Vec<u8>>,
    files: BTreeMap<(u16, u64), Vec<u8>>,
    touched: Vec<u64>,
    initial: Observation,
}

impl Recorded {
    /// The answers of a target, in the order of the operations that it performed, and what it
    /// showed before the first.
    pub fn new(name: &str, sight: Sight, initial: Observation, answers: Vec<Answered>) -> Self {
        Self {
            name: name.to_owned(),
            sight,
            answers,
            next: 0,
            page_size: 1,
            memory: BTreeMap::new(),
            files: BTreeMap::new(),
            touched: Vec::new(),
            initial,
        }
    }
}

impl Target for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn sight(&self) -> Sight {
        self.sight
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        self.next = 0;
        self.page_size = config.page_size;
        self.memory.clear();
        self.files.clear();
        self.touched.clear();
        Ok(())
    }

    fn perform(&mut self, _operation: &Operation) -> Result<Outcome, TargetError> {
        self.touched.clear();
        let Some(answer) = self.answers.get(self.next) else {
            return Err(TargetError {
                target: self.name.clone(),
                problem: format!(
                    "found {} answers, expected one for each operation",
                    self.answers.len()
                ),
            });
        };
        self.next += 1;
        for page in &answer.contents {
            match page.place {
                Place::Memory(address) => {
                    self.memory.insert(address, page.bytes.clone());
                    self.touched.push(address);
                }
                Place::File(number, offset) => {
                    self.files.insert((number, offset), page.bytes.clone());
                }
            }
        }
        Ok(answer.outcome.clone())
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        let last = self.next.checked_sub(1);
        let seen = last.and_then(|last| self.answers.get(last));
        observation.clone_from(seen.map_or(&self.initial, |answer| &answer.observation));
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        Touched::Pages(&self.touched)
    }
}

impl Contents for Recorded {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        let Some((start, page)) = self.memory.range(..=address).next_back() else {
            return false;
        };
        show(page, address - start, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let start = (number, offset - offset % self.page_size);
        match self.files.get(&start) {
            Some(page) => show(page, offset - start.1, bytes),
            None => false,
        }
    }
}

/// Copies a part of a page out; what is not recorded cannot be shown.
fn show(page: &[u8], from: u64, bytes: &mut [u8]) -> bool {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let part = from
        .checked_add(bytes.len())
        .and_then(|to| page.get(from..to));
    match part {
        Some(part) => bytes.copy_from_slice(part),
        None => return false,
    }
    true
}
