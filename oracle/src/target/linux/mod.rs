//! A real Linux kernel without an MMU, in a machine of its own.
//!
//! The machine is QEMU's; its memory is a file. A program inside performs operations with real
//! system calls in real processes and answers through two rings of bytes in that memory, so no
//! console is in the way; and what the machine's memory holds is read from the file, with
//! nothing asked. What the kernel says to its console is evidence: it is in the answer of the
//! step, and when the machine ends it is its last words. A machine that ended, or that the last
//! trace left something behind in, is not used again.

mod channel;
mod machine;

use super::protocol::Client;
use super::{Target, TargetError, Touched};
use channel::Channel;
use machine::{Image, Machine};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::cell::RefCell;
use std::time::Duration;

/// How long an answer may take; a kernel that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a start may take on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a page.
const PAGE: u64 = 4096;
/// Pages of a file of which contents are looked at after every operation.
const LOOKED_AT: usize = 64;

/// A kernel.
#[derive(Debug)]
pub struct Linux {
    name: String,
    edition: String,
    /// Which kind of kernel runs: whether it permits uninitialised memory.
    uninitialized: bool,
    client: Option<RefCell<Client<Channel>>>,
    /// How often a machine was started.
    boots: u64,
    /// What the last trace left behind, in the program's words.
    leaks: Vec<String>,
    pages: Vec<u64>,
    /// The record of a machine that broke.
    last_record: String,
}

impl Linux {
    /// A kernel by its edition, such as `6.12`, as `cargo xtask kernel build` leaves it. It is
    /// booted for the first trace.
    pub fn new(edition: &str) -> Self {
        Self {
            name: format!("linux-{edition}"),
            edition: edition.to_string(),
            uninitialized: false,
            client: None,
            boots: 0,
            leaks: Vec::new(),
            pages: Vec::new(),
            last_record: String::new(),
        }
    }

    /// How often a machine was started.
    pub fn boots(&self) -> u64 {
        self.boots
    }

    /// What the trace before the last [`Target::reset`] left behind in the kernel after every
    /// process had ended, in words; a leak is the kernel's. Forgets it.
    pub fn take_leaks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.leaks)
    }

    /// Performs operations without looking at anything in between: what can be done at most.
    ///
    /// # Errors
    ///
    /// When one of them breaks the machine.
    pub fn perform_all(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, TargetError> {
        self.client()?.perform_all(operations)
    }

    /// Ends the machine: the next trace begins in a new one.
    pub fn shut_down(&mut self) {
        self.client = None;
    }

    /// Keeps a record of what is asked and answered from the last [`Target::reset`] on; see
    /// [`super::recorded`].
    pub fn record(&mut self) {
        if let Some(client) = &mut self.client {
            client.get_mut().record();
        }
    }

    /// The record, which ends here. What broke the machine is in it as a crash.
    pub fn take_record(&mut self) -> String {
        match &mut self.client {
            Some(client) => client.get_mut().take_record(),
            None => std::mem::take(&mut self.last_record),
        }
    }

    fn boot(&mut self, uninitialized: bool) -> Result<(), TargetError> {
        // One machine at a time: the last one goes first.
        self.client = None;
        self.uninitialized = uninitialized;
        let failed = |problem: String| TargetError {
            target: self.name.clone(),
            problem,
        };
        let directory = machine::find(&self.edition).map_err(failed)?;
        let image = Image {
            directory: &directory,
            uninitialized,
        };
        let machine = Machine::start(&image).map_err(failed)?;
        let channel = Channel::new(machine, BOOT_LIMIT).map_err(failed)?;
        let client =
            Client::connect(channel, LIMIT).map_err(|error| failed(error.problem.clone()))?;
        self.client = Some(RefCell::new(client));
        self.boots += 1;
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client<Channel>, TargetError> {
        match &mut self.client {
            Some(client) => Ok(client.get_mut()),
            None => Err(TargetError {
                target: self.name.clone(),
                problem: "it was asked before it was started".into(),
            }),
        }
    }
}

impl Contents for Linux {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        (self.client.as_ref())
            .is_some_and(|client| client.borrow().wire().machine().memory(address, bytes))
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(client) = &self.client else {
            return false;
        };
        let asked = format!("file {number} {offset:#x} {}", bytes.len());
        match client.borrow_mut().show(&asked, bytes.len()) {
            Some(shown) => {
                bytes.copy_from_slice(&shown);
                true
            }
            None => false,
        }
    }
}

impl Target for Linux {
    fn name(&self) -> &str {
        &self.name
    }

    fn sight(&self) -> Sight {
        Sight::MAPPINGS
            | Sight::REGIONS
            | Sight::COPIED_PAGES
            | Sight::FILES
            | Sight::FILE_PAGES
            | Sight::SEGMENTS
            | Sight::DRIVERS
            | Sight::CONTENTS
            | Sight::REGION_RECORDS
    }

    fn offered(&self, mut config: Config) -> Config {
        // Where a kernel takes its memory from, and what else it keeps there, is its own affair.
        config.window = None;
        config
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        if config.page_size != PAGE {
            return Err(TargetError {
                target: self.name.clone(),
                problem: format!("found page={}, expected page={PAGE}", config.page_size),
            });
        }
        let is_usable = (self.client.as_ref())
            .is_some_and(|client| client.borrow().dead().is_none())
            && self.uninitialized == config.uninitialized;
        self.leaks.clear();
        if is_usable && self.client()?.reset(config).is_ok() {
            self.leaks = self.client()?.take_leaks();
            if self.leaks.is_empty() {
                return Ok(());
            }
        }
        self.boot(config.uninitialized)?;
        self.client()?.reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        let outcome = self.client()?.perform(operation)?;
        if let Outcome::Crash(words) = outcome {
            let words = self.client()?.wire().machine().with_last_words(&words);
            // Whatever it is in now, no further trace is begun in it.
            self.last_record = self.client()?.take_record();
            self.client = None;
            return Ok(Outcome::Crash(words));
        }
        Ok(outcome)
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        match &self.client {
            Some(client) => observation.clone_from(client.borrow().observation()),
            None => *observation = Observation::default(),
        }
        Ok(())
    }

    /// The memory that anything is known to lie in.
    fn touched(&mut self) -> Touched<'_> {
        self.pages.clear();
        if let Some(client) = &self.client {
            let client = client.borrow();
            let seen = client.observation();
            for region in seen.regions.iter().filter(|region| region.copy) {
                let pages = (region.end - region.start) / PAGE;
                (self.pages).extend((0..pages).map(|page| region.start + page * PAGE));
            }
            for segment in &seen.segments {
                let pages = segment.size.div_ceil(PAGE);
                (self.pages).extend((0..pages).map(|page| segment.start + page * PAGE));
            }
            for file in &seen.files {
                (self.pages).extend(file.pages.iter().take(LOOKED_AT).map(|page| page.address));
            }
        }
        Touched::Pages(&self.pages)
    }
}
