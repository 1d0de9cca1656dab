//! Two rings of bytes in the machine's memory: lines in, lines out.
//!
//! The memory is read and written as a file that the machine has mapped. The program inside
//! (`oracle/guest/channel.c`) has the same layout.

use super::kept::Kept;
use super::machine::Machine;
use crate::target::protocol::{Broken, LINE_LIMIT, Wire};
use std::time::{Duration, Instant};

/// What the program writes at the beginning of a page when it opens the channel, and, after the
/// numbers, the same inverted.
const MAGIC: u64 = 0x314c_4e4e_4148_434e;
/// Numbers of bytes since the start, by their offsets.
const INPUT_GIVEN: u64 = 8;
const INPUT_TAKEN: u64 = 16;
const OUTPUT_GIVEN: u64 = 24;
const OUTPUT_TAKEN: u64 = 32;
const INVERTED_MAGIC: u64 = 40;
/// Whether nothing is to happen in the machine, and whether nothing does.
const HOLD: u64 = 48;
const IS_HELD: u64 = 56;
/// The program is in one of the machine's pages.
const PAGE: u64 = 4096;
/// The rings.
const INPUT: u64 = 4096;
const INPUT_BYTES: u64 = 1 << 17;
const OUTPUT: u64 = INPUT + INPUT_BYTES;
const OUTPUT_BYTES: u64 = 1 << 18;
/// How often to look without a pause, and how long pauses are then. Looking costs a call and so
/// takes about as long as an answer; whoever pauses is served first afterwards on a busy machine.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_micros(50);
/// Between two searches for a channel, each of which looks at every page.
const SEARCH_PAUSE: Duration = Duration::from_millis(25);
/// How often to look whether the machine is still there, in looks.
const LIFE_SIGNS: u32 = 256;

/// Lines to and from a machine.
#[derive(Debug)]
pub struct Channel {
    machine: Machine,
    /// Where the channel begins.
    start: u64,
    input_given: u64,
    output_taken: u64,
    /// What was taken and not handed out.
    output: Vec<u8>,
    handed_out: usize,
}

impl Channel {
    /// Waits for the program in a machine to open the channel.
    pub fn new(machine: Machine, limit: Duration) -> Result<Self, String> {
        let mut channel = Self {
            machine,
            start: 0,
            input_given: 0,
            output_taken: 0,
            output: Vec::new(),
            handed_out: 0,
        };
        let deadline = Instant::now() + limit;
        loop {
            if let Some(start) = channel.find() {
                channel.start = start;
                return Ok(channel);
            }
            let problem = match channel.machine.ended() {
                Some(status) => format!("the machine ended while it started: {status}"),
                None if Instant::now() > deadline => {
                    format!(
                        "found silence for {} ms, expected a start",
                        limit.as_millis()
                    )
                }
                None => {
                    std::thread::sleep(SEARCH_PAUSE);
                    continue;
                }
            };
            return Err(channel.machine.with_last_words(&problem));
        }
    }

    /// The channel of a copy of a machine in which it had been opened.
    pub fn of_copy(machine: Machine, start: u64) -> Self {
        let channel = Self {
            machine,
            start,
            input_given: 0,
            output_taken: 0,
            output: Vec::new(),
            handed_out: 0,
        };
        channel.set_word(HOLD, 0);
        channel
    }

    /// Lets nothing happen in the machine, whose program has to await a line. False where it goes
    /// on all the same.
    pub fn hold(&self, limit: Duration) -> bool {
        self.set_word(HOLD, 1);
        let deadline = Instant::now() + limit;
        while self.word(IS_HELD) != 1 {
            if Instant::now() > deadline {
                self.set_word(HOLD, 0);
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Keeps a machine that is held and in which nothing was said yet; it ends. Also where its
    /// channel begins.
    pub fn keep(self, limit: Duration) -> Result<(Kept, u64), String> {
        Ok((self.machine.keep(limit)?, self.start))
    }

    /// Makes a machine that is held what another one was when it was kept.
    pub fn put_back(&mut self, kept: &Kept) -> std::io::Result<()> {
        self.machine.put_back(kept)?;
        self.input_given = 0;
        self.output_taken = 0;
        self.output.clear();
        self.handed_out = 0;
        self.set_word(HOLD, 0);
        Ok(())
    }

    /// Lets a copy begin.
    pub fn go_on(&mut self) {
        self.machine.go_on();
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Looks for the channel in the machine's memory.
    fn find(&self) -> Option<u64> {
        let word = |address: u64| {
            let mut bytes = [0; 8];
            let is_there = self.machine.memory(address, &mut bytes);
            is_there.then(|| u64::from_le_bytes(bytes))
        };
        Machine::MEMORY
            .step_by(PAGE as usize)
            .find(|page| word(*page) == Some(MAGIC) && word(*page + INVERTED_MAGIC) == Some(!MAGIC))
    }

    fn word(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.machine.memory(self.start + offset, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn set_word(&self, offset: u64, value: u64) {
        self.machine
            .write(self.start + offset, &value.to_le_bytes());
    }

    /// Takes what the program said since; whether it said anything.
    fn take(&mut self) -> Result<bool, Broken> {
        let given = self.word(OUTPUT_GIVEN);
        let count = given.wrapping_sub(self.output_taken);
        if count == 0 {
            return Ok(false);
        }
        if count > OUTPUT_BYTES {
            return Err(Broken::Garbage(format!(
                "found {given} bytes said after {}, expected at most {OUTPUT_BYTES} more",
                self.output_taken
            )));
        }
        self.output.drain(..self.handed_out);
        self.handed_out = 0;
        let mut at = self.output_taken;
        while at != given {
            let start = at % OUTPUT_BYTES;
            let length = (given - at).min(OUTPUT_BYTES - start) as usize;
            let old = self.output.len();
            self.output.resize(old + length, 0);
            self.machine
                .memory(self.start + OUTPUT + start, &mut self.output[old..]);
            at += length as u64;
        }
        self.output_taken = given;
        self.set_word(OUTPUT_TAKEN, given);
        Ok(true)
    }

    /// Waits for something; `looks` counts how often in vain.
    fn pause(&mut self, looks: u32, deadline: Instant) -> Result<(), Broken> {
        if looks < LOOKS {
            std::hint::spin_loop();
            return Ok(());
        }
        if looks.is_multiple_of(LIFE_SIGNS) {
            if let Some(status) = self.machine.ended() {
                return Err(Broken::Gone(format!("the machine ended: {status}")));
            }
            if Instant::now() > deadline {
                return Err(Broken::Silent);
            }
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

impl Wire for Channel {
    fn send(&mut self, text: &str) -> Result<(), Broken> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut rest = text.as_bytes();
        let mut looks = 0;
        while !rest.is_empty() {
            let free = INPUT_BYTES - (self.input_given - self.word(INPUT_TAKEN)).min(INPUT_BYTES);
            let start = self.input_given % INPUT_BYTES;
            let length = (rest.len() as u64).min(free).min(INPUT_BYTES - start) as usize;
            if length == 0 {
                // It takes nothing in while what it said is not taken.
                self.take()?;
                self.pause(looks, deadline)?;
                looks += 1;
                continue;
            }
            let (some, later) = rest.split_at(length);
            self.machine.write(self.start + INPUT + start, some);
            self.input_given += length as u64;
            self.set_word(INPUT_GIVEN, self.input_given);
            rest = later;
        }
        Ok(())
    }

    fn receive(&mut self, line: &mut String, deadline: Instant) -> Result<(), Broken> {
        let mut looks = 0;
        let mut searched = self.handed_out;
        loop {
            let end = self.output[searched..]
                .iter()
                .position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let found = &self.output[self.handed_out..searched + end];
                line.clear();
                match std::str::from_utf8(found) {
                    Ok(text) => line.push_str(text),
                    Err(_) => {
                        return Err(Broken::Garbage(
                            "found bytes that are no UTF-8, expected a line of text".into(),
                        ));
                    }
                }
                self.handed_out = searched + end + 1;
                return Ok(());
            }
            let waiting = self.output.len() - self.handed_out;
            if waiting > LINE_LIMIT {
                return Err(Broken::Garbage(format!(
                    "found a line of more than {LINE_LIMIT} bytes, expected its end"
                )));
            }
            searched = self.output.len() - self.handed_out;
            if self.take()? {
                // What was handed out is gone from the front.
                looks = 0;
            } else {
                searched += self.handed_out;
                self.pause(looks, deadline)?;
                looks += 1;
            }
        }
    }
}
