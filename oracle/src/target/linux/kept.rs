//! Machines that need not be booted.
//!
//! To start a kernel takes half a second of a processor's time, and a kernel that breaks, or
//! keeps what it should have given back, has to be started again. So one machine is stopped just
//! after its start and kept, and others go on from there: one that still does what it is told has
//! its memory put back, which takes a hundredth of a second; in place of one that does not, a
//! copy begins. Each time one is taken, the next is made ready.

use super::channel::Channel;
use super::machine::{Image, Machine};
use std::collections::BTreeMap;
use std::time::Duration;

/// A machine as it was when nothing happened in it.
#[derive(Debug)]
pub struct Kept {
    /// What is not zero of its memory, by offsets.
    pub memory: BTreeMap<u64, Vec<u8>>,
    /// What else there is of it, in QEMU's words.
    pub state: Vec<u8>,
    /// What its kernel had said.
    pub console: Vec<u8>,
}

/// How long it may take until a machine is kept.
const LIMIT: Duration = Duration::from_secs(5);
/// How long it may take until a machine stands still.
const HOLD_LIMIT: Duration = Duration::from_secs(1);

/// Where machines of one kind come from.
#[derive(Debug, Default)]
pub struct Source {
    /// Machines that were booted.
    pub boots: u64,
    /// Machines that were copied.
    pub copies: u64,
    /// Machines whose memory was put back.
    pub put_back: u64,
    /// The machine that is copied, and where its channel begins.
    kept: Option<(Kept, u64)>,
    /// The next copy.
    ready: Option<Channel>,
    /// Whether copies do not work here.
    only_boots: bool,
}

impl Source {
    /// A machine that has just started. The second time that one is wanted, more will be.
    pub fn start(&mut self, image: &Image<'_>, limit: Duration) -> Result<Channel, String> {
        if self.kept.is_none() && self.boots > 0 && !self.only_boots {
            self.boots += 1;
            let booted = Channel::new(Machine::start(image)?, limit)?;
            if !booted.hold(HOLD_LIMIT) {
                self.only_boots = true;
                return Ok(booted);
            }
            match booted.keep(LIMIT) {
                Ok(kept) => self.kept = Some(kept),
                Err(_) => self.only_boots = true,
            }
        }
        let Some((kept, place)) = &self.kept else {
            self.boots += 1;
            return Channel::new(Machine::start(image)?, limit);
        };
        let mut channel = match self.ready.take() {
            Some(ready) => ready,
            None => Channel::of_copy(Machine::copy(image, kept)?, *place),
        };
        channel.go_on();
        self.ready = Some(Channel::of_copy(Machine::copy(image, kept)?, *place));
        self.copies += 1;
        Ok(channel)
    }

    /// Makes a machine that awaits a line what it was when it had just started; none where that
    /// cannot be done.
    pub fn put_back(&mut self, mut channel: Channel) -> Option<Channel> {
        let (kept, _) = self.kept.as_ref()?;
        if !channel.hold(HOLD_LIMIT) || channel.put_back(kept).is_err() {
            return None;
        }
        self.put_back += 1;
        Some(channel)
    }

    /// A copy did not answer: none is made any more. False where there were none.
    pub fn without_copies(&mut self) -> bool {
        self.ready = None;
        self.only_boots = true;
        self.kept.take().is_some()
    }
}
