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
#[cfg(test)]
mod tests;

use super::protocol::{Client, Shown};
use super::{Target, TargetError, Touched};
use channel::Channel;
use machine::{Image, Machine};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take; a kernel that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a start may take on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Pages of a file of which contents are looked at after every operation.
const LOOKED_AT: usize = 64;

/// Bytes of a file that are asked for at once.
const WINDOW: u64 = 4 * PAGE;

/// A kernel.
#[derive(Debug)]
pub struct Linux {
    name: String,
    edition: String,
    /// Where it was built, if that is settled.
    directory: Option<PathBuf>,
    /// The program that is the machine.
    program: PathBuf,
    /// How long a start and an answer may take.
    boot_limit: Duration,
    limit: Duration,
    /// A machine for each kind of kernel: that clears all memory, and that permits
    /// uninitialised memory.
    machines: [Option<RefCell<Client<Channel>>>; 2],
    /// Which of them the trace runs in.
    kind: usize,
    /// How often a machine was started.
    starts: u64,
    /// Processor time of machines that were ended, in hundredths of a second.
    spent: u64,
    pages: Vec<u64>,
    /// Bytes of a file as they are since the last operation.
    window: RefCell<Option<FileWindow>>,
    /// The record of a machine that broke.
    last_record: String,
}

/// Bytes of a file.
#[derive(Debug)]
struct FileWindow {
    number: u16,
    offset: u64,
    bytes: Vec<u8>,
}

impl Linux {
    /// A kernel by its edition, such as `6.12`, as `cargo xtask kernel build` leaves it. It is
    /// booted for the first trace.
    pub fn new(edition: &str) -> Self {
        Self {
            name: format!("linux-{edition}"),
            edition: edition.to_string(),
            directory: None,
            program: PathBuf::from(machine::PROGRAM),
            boot_limit: BOOT_LIMIT,
            limit: LIMIT,
            machines: [None, None],
            kind: 0,
            starts: 0,
            spent: 0,
            pages: Vec::new(),
            window: RefCell::new(None),
            last_record: String::new(),
        }
    }

    /// The same, from a directory that it was built in.
    pub fn at(edition: &str, directory: &Path) -> Self {
        Self {
            directory: Some(directory.to_path_buf()),
            ..Self::new(edition)
        }
    }

    /// Processor time that the machines took so far, in hundredths of a second. Where the system
    /// does not tell, and of machines that ended by themselves, it is 0.
    pub fn processor_time(&self) -> u64 {
        let running: u64 = (self.machines.iter().flatten())
            .filter_map(|machine| machine.borrow().wire().machine().processor_time())
            .sum();
        self.spent + running
    }

    /// Performs operations without looking at anything in between: what can be done at most.
    ///
    /// # Errors
    ///
    /// When one of them breaks the machine.
    pub fn perform_all(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, TargetError> {
        self.window.take();
        self.client()?.perform_all(operations)
    }

    /// Ends the machines: the next trace begins in a new one.
    pub fn shut_down(&mut self) {
        self.machines = [None, None];
    }

    /// Keeps a record of what is asked and answered from the last [`Target::reset`] on; see
    /// [`super::recorded`].
    pub fn record(&mut self) {
        if let Some(client) = &mut self.machines[self.kind] {
            client.get_mut().record();
        }
    }

    /// The record, which ends here. What broke the machine is in it as a crash.
    pub fn take_record(&mut self) -> String {
        match &mut self.machines[self.kind] {
            Some(client) => client.get_mut().take_record(),
            None => std::mem::take(&mut self.last_record),
        }
    }

    /// Ends the machine of the last trace.
    fn end_machine(&mut self) {
        if let Some(machine) = self.machines[self.kind].take() {
            let spent = machine.borrow().wire().machine().processor_time();
            self.spent += spent.unwrap_or_default();
        }
    }

    /// Starts a machine of the kind that is wanted, in place of the one that there was.
    fn boot(&mut self) -> Result<(), TargetError> {
        self.end_machine();
        let failed = |problem: String| TargetError {
            target: self.name.clone(),
            problem,
        };
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => machine::find(&self.edition).map_err(failed)?,
        };
        let image = Image {
            program: &self.program,
            directory: &directory,
            uninitialized: self.kind == 1,
        };
        let machine = Machine::start(&image).map_err(failed)?;
        let channel = Channel::new(machine, self.boot_limit).map_err(failed)?;
        let client =
            Client::connect(channel, self.limit).map_err(|error| failed(error.problem.clone()))?;
        self.machines[self.kind] = Some(RefCell::new(client));
        self.starts += 1;
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client<Channel>, TargetError> {
        match &mut self.machines[self.kind] {
            Some(client) => Ok(client.get_mut()),
            None => Err(TargetError {
                target: self.name.clone(),
                problem: "it was asked before it was started".into(),
            }),
        }
    }

    /// Bytes of a file from the machine, as it is now.
    fn ask_file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(client) = &self.machines[self.kind] else {
            return false;
        };
        let mut client = client.borrow_mut();
        let asked = format!("file {number} {offset:#x} {}", bytes.len());
        match client.show(&asked, bytes.len()) {
            Some(Shown::At(place)) => client.wire().machine().memory(place, bytes),
            Some(Shown::Bytes(shown)) => {
                bytes.copy_from_slice(&shown);
                true
            }
            None => false,
        }
    }
}

impl Contents for Linux {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        (self.machines[self.kind].as_ref())
            .is_some_and(|client| client.borrow().wire().machine().memory(address, bytes))
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let start = offset - offset % WINDOW;
        let within = (offset - start) as usize;
        if within + bytes.len() > WINDOW as usize {
            return self.ask_file(number, offset, bytes);
        }
        let mut window = self.window.borrow_mut();
        let is_known =
            (window.as_ref()).is_some_and(|known| known.number == number && known.offset == start);
        if !is_known {
            let mut all = vec![0; WINDOW as usize];
            if !self.ask_file(number, start, &mut all) {
                return false;
            }
            *window = Some(FileWindow {
                number,
                offset: start,
                bytes: all,
            });
        }
        match window.as_ref() {
            Some(known) => {
                bytes.copy_from_slice(&known.bytes[within..within + bytes.len()]);
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
        self.window.take();
        self.kind = usize::from(config.uninitialized);
        let is_usable = (self.machines[self.kind].as_ref())
            .is_some_and(|client| client.borrow().dead().is_none());
        // What was left behind, or would not begin again, makes room for a new machine.
        if is_usable
            && self.client()?.reset(config).is_ok()
            && self.client()?.take_leaks().is_empty()
        {
            return Ok(());
        }
        self.boot()?;
        self.client()?.reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        self.window.take();
        let outcome = self.client()?.perform(operation)?;
        if let Outcome::Crash(words) = outcome {
            let words = self.client()?.wire().machine().with_last_words(&words);
            // Whatever it is in now, no further trace is begun in it.
            self.last_record = self.client()?.take_record();
            self.end_machine();
            return Ok(Outcome::Crash(words));
        }
        Ok(outcome)
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        match &self.machines[self.kind] {
            Some(client) => observation.clone_from(client.borrow().observation()),
            None => *observation = Observation::default(),
        }
        Ok(())
    }

    /// The memory that anything is known to lie in.
    fn touched(&mut self) -> Touched<'_> {
        self.pages.clear();
        if let Some(client) = &self.machines[self.kind] {
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

    fn starts(&self) -> u64 {
        self.starts
    }

    fn leftovers(&mut self) -> Result<Vec<String>, TargetError> {
        let nobody = Config {
            page_size: PAGE,
            window: None,
            trim: 1,
            uninitialized: self.kind == 1,
            processes: 0,
            deviations: Vec::new(),
        };
        self.window.take();
        if self.machines[self.kind].is_none() {
            return Ok(Vec::new());
        }
        // What the kernel complains of while everything goes is left of the trace, too.
        let leaks = match self.client()?.reset(&nobody) {
            Ok(()) => self.client()?.take_leaks(),
            Err(error) => vec![error.problem],
        };
        if !leaks.is_empty() {
            self.end_machine();
        }
        Ok(leaks)
    }
}
