//! A real Linux kernel without an MMU, in a machine of its own.
//!
//! The machine is QEMU's; its memory is a file. A program inside performs operations with real
//! system calls in real processes and answers through two rings of bytes in that memory, so no
//! console is in the way; and what the machine's memory holds is read from the file, with
//! nothing asked. What the kernel says to its console is evidence: it is in the answer of the
//! step, and when the machine ends it is its last words. A machine that ended, or that the last
//! trace left something behind in, is not used again.

mod channel;
mod kept;
mod machine;
#[cfg(test)]
mod tests;

use super::protocol::{Client, Shown};
use super::{Effort, Target, TargetError, Touched};
use channel::Channel;
use kept::Source;
use machine::Image;
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer may take; a kernel that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a start may take on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Pages of a file, and of either end of a region, of which contents are looked at after every
/// operation.
const LOOKED_AT: u64 = 64;

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
    /// Machines in which something went wrong that still do what they are told.
    spoilt: [Option<Client<Channel>>; 2],
    /// Which of them the trace runs in.
    kind: usize,
    /// Where the machines of each kind come from.
    sources: [Source; 2],
    /// What it took so far, besides starts.
    effort: Effort,
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
            spoilt: [None, None],
            kind: 0,
            sources: [Source::default(), Source::default()],
            effort: Effort::default(),
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
        self.spoilt = [None, None];
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

    /// Keeps the record of a machine that went wrong, and what it said last. Whatever it is in
    /// now, no further trace is begun in it.
    fn give_up(&mut self, words: &str) -> Result<String, TargetError> {
        let words = self.client()?.wire().machine().with_last_words(words);
        self.last_record = self.client()?.take_record();
        self.end_machine();
        Ok(words)
    }

    /// Uses the machine of the last trace for no further one as it is.
    fn end_machine(&mut self) {
        if let Some(machine) = self.machines[self.kind].take() {
            self.spoilt[self.kind] = Some(machine.into_inner());
        }
    }

    /// The machine of the last trace as it was when it was started, if it still does what it is
    /// told.
    fn put_back(&mut self) -> Option<Client<Channel>> {
        let mut client = self.spoilt[self.kind].take()?;
        // It ends the trace, and then whoever awaits a line is who did at the start.
        if client.dead().is_none() {
            let _ = client.reset(&self.nobody());
        }
        let is_usable = client.dead().is_none();
        let spent = client.wire().machine().processor_time();
        let channel = is_usable.then(|| client.into_wire());
        let channel = channel.and_then(|channel| self.sources[self.kind].put_back(channel));
        let client = channel.and_then(|channel| Client::connect(channel, self.limit).ok());
        if client.is_none() {
            self.spent += spent.unwrap_or_default();
        }
        client
    }

    /// A system in which there is no process.
    fn nobody(&self) -> Config {
        Config {
            page_size: PAGE,
            window: None,
            trim: 1,
            uninitialized: self.kind == 1,
            processes: 0,
            deviations: Vec::new(),
        }
    }

    /// Starts a machine of the kind that is wanted, in place of the one that there was.
    fn boot(&mut self) -> Result<(), TargetError> {
        let begun = Instant::now();
        self.end_machine();
        if let Some(client) = self.put_back() {
            self.machines[self.kind] = Some(RefCell::new(client));
            self.effort.starting += begun.elapsed();
            return Ok(());
        }
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
        let source = &mut self.sources[self.kind];
        let client = loop {
            let channel = source.start(&image, self.boot_limit).map_err(failed)?;
            match Client::connect(channel, self.limit) {
                Ok(client) => break client,
                Err(_) if source.without_copies() => {}
                Err(error) => return Err(failed(error.problem)),
            }
        };
        self.machines[self.kind] = Some(RefCell::new(client));
        self.effort.starting += begun.elapsed();
        Ok(())
    }

    /// Makes a fresh system in the machine that there is. What was left of the one before, and
    /// what the kernel complains of while it goes, is in the way of that.
    fn clear(&mut self, config: &Config) -> Result<Vec<String>, TargetError> {
        let begun = Instant::now();
        let client = self.client()?;
        let left = match client.reset(config) {
            Ok(()) => client.take_leaks(),
            Err(error) => vec![error.problem],
        };
        self.effort.resets += 1;
        self.effort.resetting += begun.elapsed();
        Ok(left)
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
        if is_usable && self.clear(config)?.is_empty() {
            return Ok(());
        }
        self.boot()?;
        match self.clear(config)?.first() {
            None => Ok(()),
            Some(problem) => Err(TargetError {
                target: self.name.clone(),
                problem: problem.clone(),
            }),
        }
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        self.window.take();
        let begun = Instant::now();
        let outcome = self.client()?.perform(operation)?;
        self.effort.operations += 1;
        self.effort.performing += begun.elapsed();
        match outcome {
            Outcome::Crash(words) => Ok(Outcome::Crash(self.give_up(&words)?)),
            outcome => Ok(outcome),
        }
    }

    fn broke(&mut self) -> Option<String> {
        let words = self.client().ok()?.broke()?;
        self.give_up(&words).ok()
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
                let first = pages.min(LOOKED_AT);
                let last = first.max(pages.saturating_sub(LOOKED_AT));
                let looked_at = (0..first).chain(last..pages);
                (self.pages).extend(looked_at.map(|page| region.start + page * PAGE));
            }
            for segment in &seen.segments {
                let pages = segment.size.div_ceil(PAGE);
                (self.pages).extend((0..pages).map(|page| segment.start + page * PAGE));
            }
            for file in &seen.files {
                (self.pages).extend(
                    file.pages
                        .iter()
                        .take(LOOKED_AT as usize)
                        .map(|page| page.address),
                );
            }
        }
        Touched::Pages(&self.pages)
    }

    fn begin_afresh(&mut self) {
        self.end_machine();
    }

    fn effort(&self) -> Effort {
        let of = |count: fn(&Source) -> u64| self.sources.iter().map(count).sum();
        Effort {
            boots: of(|source| source.boots),
            copies: of(|source| source.copies),
            put_back: of(|source| source.put_back),
            ..self.effort
        }
    }

    fn leftovers(&mut self) -> Result<Vec<String>, TargetError> {
        self.window.take();
        // One that broke when it was looked at cannot say what is left.
        if self.broke().is_some() || self.machines[self.kind].is_none() {
            return Ok(Vec::new());
        }
        let leaks = self.clear(&self.nobody())?;
        if !leaks.is_empty() {
            self.end_machine();
        }
        Ok(leaks)
    }
}
