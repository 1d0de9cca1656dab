//! `exec:CMD`: any program that speaks `specs/protocol.md` over its standard input and output.
//!
//! The program is started for the first trace, ended when it breaks or is dropped, and started
//! again for the next trace. What it says to its standard error is kept as its last words.

use super::protocol::{Broken, Client, Shown, Wire, read_line};
use super::pulse::LIMIT;
use super::{Target, TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::cell::RefCell;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Lines that are read ahead.
const AHEAD: usize = 4096;
/// Bytes of last words that are kept.
const LAST_WORDS: usize = 400;

/// A program that is asked over pipes.
#[derive(Debug)]
pub struct External {
    name: String,
    words: Vec<String>,
    limit: Duration,
    client: Option<RefCell<Client<Pipes>>>,
    sight: Sight,
}

impl External {
    /// A program and its arguments. It is started for the first trace.
    pub fn new(words: &[String]) -> Self {
        Self::with_limit(words, LIMIT)
    }

    /// The same, with another limit to how long an answer may take.
    pub fn with_limit(words: &[String], limit: Duration) -> Self {
        Self {
            name: format!("exec:{}", words.join(" ")),
            words: words.to_vec(),
            limit,
            client: None,
            sight: Sight::empty(),
        }
    }

    /// The same, under another name.
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    fn start(&mut self) -> Result<(), TargetError> {
        let failed = |problem: String| TargetError {
            target: self.name.clone(),
            problem,
        };
        let pipes = Pipes::new(&self.words).map_err(failed)?;
        let client =
            Client::connect(pipes, self.limit).map_err(|error| failed(error.problem.clone()))?;
        self.sight = client.sight();
        self.client = Some(RefCell::new(client));
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client<Pipes>, TargetError> {
        match &mut self.client {
            Some(client) => Ok(client.get_mut()),
            None => Err(TargetError {
                target: self.name.clone(),
                problem: "it was asked before it was started".into(),
            }),
        }
    }

    fn show(&self, what: &str, bytes: &mut [u8]) -> bool {
        let Some(client) = &self.client else {
            return false;
        };
        match client.borrow_mut().show(what, bytes.len()) {
            Some(Shown::Bytes(shown)) => {
                bytes.copy_from_slice(&shown);
                true
            }
            // A program's memory is its own.
            Some(Shown::At(_)) | None => false,
        }
    }
}

impl Contents for External {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.show(&format!("memory {address:#x} {}", bytes.len()), bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        self.show(&format!("file {number} {offset:#x} {}", bytes.len()), bytes)
    }
}

impl Target for External {
    fn name(&self) -> &str {
        &self.name
    }

    fn sight(&self) -> Sight {
        self.sight
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        let is_dead = (self.client.as_ref()).is_none_or(|it| it.borrow().dead().is_some());
        if is_dead {
            self.start()?;
        }
        self.client()?.reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        self.client()?.perform(operation)
    }

    fn broke(&mut self) -> Option<String> {
        self.client().ok()?.broke()
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        observation.clone_from(self.client()?.observation());
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        Touched::All
    }

    fn can_fail_allocations(&self) -> bool {
        (self.client.as_ref()).is_some_and(|client| client.borrow().can_fail_allocations())
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        (self.client()).is_ok_and(|client| client.fail_allocation(n))
    }

    fn injected_failure(&self) -> bool {
        (self.client.as_ref()).is_some_and(|client| client.borrow().injected_failure())
    }
}

/// A program's standard input and output.
#[derive(Debug)]
struct Pipes {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Result<String, String>>,
    errors: Arc<Mutex<Vec<u8>>>,
}

impl Pipes {
    fn new(words: &[String]) -> Result<Self, String> {
        let Some((program, arguments)) = words.split_first() else {
            return Err("found no program, expected one".into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
        let (sender, lines) = sync_channel(AHEAD);
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || read_lines(output, &sender));
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        if let Some(output) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            std::thread::spawn(move || keep_last(output, &errors));
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            lines,
            errors,
        })
    }

    /// Its status and the end of what it said to its standard error.
    fn last_words(&mut self) -> String {
        let status = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        // Its words arrive by another thread.
        std::thread::sleep(Duration::from_millis(20));
        let words = match self.errors.lock() {
            Ok(words) => String::from_utf8_lossy(&words).trim().to_string(),
            Err(_) => String::new(),
        };
        match words.lines().next_back() {
            Some(last) => format!("{status}: {last}"),
            None => status,
        }
    }
}

fn keep_last(mut output: impl Read, errors: &Mutex<Vec<u8>>) {
    let mut some = [0; 1024];
    while let Ok(count @ 1..) = output.read(&mut some) {
        let Ok(mut kept) = errors.lock() else { return };
        kept.extend_from_slice(&some[..count]);
        let excess = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..excess);
    }
}

fn read_lines(output: impl Read, sender: &SyncSender<Result<String, String>>) {
    let mut output = BufReader::new(output);
    while let Some(found) = read_line(&mut output) {
        let is_last = found.is_err();
        if sender.send(found).is_err() || is_last {
            return;
        }
    }
}

impl Wire for Pipes {
    fn send(&mut self, text: &str) -> Result<(), Broken> {
        let sent = match &mut self.input {
            Some(input) => input
                .write_all(text.as_bytes())
                .and_then(|()| input.flush()),
            None => return Err(Broken::Gone(String::new())),
        };
        // A program that ended may have said why; that is heard when its answer is awaited.
        let _ = sent;
        Ok(())
    }

    fn receive(&mut self, line: &mut String, deadline: Instant) -> Result<(), Broken> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(Ok(found)) => {
                *line = found;
                Ok(())
            }
            Ok(Err(problem)) => Err(Broken::Garbage(problem)),
            Err(RecvTimeoutError::Timeout) => Err(Broken::Silent),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = self.child.kill();
                Err(Broken::Gone(self.last_words()))
            }
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        // With its input closed, a program that keeps to the protocol ends by itself.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
