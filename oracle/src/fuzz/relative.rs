//! Bytes of which the generator makes a given trace, or a near relative of it.
//!
//! A generator cannot be run backwards, but it can be asked. It takes its bytes from the front,
//! so a trace is looked for one operation at a time: of the bytes that are tried for the next
//! one, those stay that make an operation most like the one that is wanted. What is made is
//! performed, so that the generator meets the same world later.
//!
//! What comes out is a function of the trace and of the options.

use crate::generate::{Focus, Generator, Options};
use crate::lockstep::{Lockstep, OperationKind, Step};
use crate::minimise::{normalise, rescale};
use crate::target::engine::EngineTarget;
use crate::trace::{Text, Trace};
use arbitrary::Unstructured;
use nommu_model::op::{Call, Operation, Path};
use nommu_model::world::World;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Bytes that the generator is offered for its focus or for an operation.
const OFFERED: usize = 64;
/// Bytes that are tried at random, until they make an operation of the wanted kind.
const GUESSES: usize = 4000;
/// Changes to what was best so far that are tried.
const CHANGES: usize = 1500;
/// Operations that the generator had planned, which are performed before the wanted one.
const PLANNED: usize = 4;

/// The bytes, and how near they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// What the generator makes the relative of.
    pub bytes: Vec<u8>,
    /// Operations of the trace that it makes exactly so.
    pub exact: usize,
    /// Operations of the trace that it makes in some way.
    pub made: usize,
}

/// Looks for a trace.
pub fn relative(trace: &Trace, options: &Options) -> Relative {
    let mut search = Search {
        random: ChaCha8Rng::seed_from_u64(0),
    };
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let mut bytes = search.focus(trace, &operations, options);
    let mut generator = Generator::new(&mut Unstructured::new(&bytes), options);
    let header = generator.focus().header.clone();
    let wanted = rescale(&operations, trace.header.page_size, header.page_size);
    let wanted = normalise(&wanted, header.processes);
    let mut relative = Relative {
        bytes: Vec::new(),
        exact: 0,
        made: 0,
    };
    let mut lockstep = Lockstep::new(EngineTarget::new());
    if lockstep.reset(&header.config(Vec::new())).is_err() {
        return relative;
    }
    let length = generator.focus().length;
    let mut performed = 0;
    for wanted in &wanted {
        for _ in 0..PLANNED {
            if performed == length {
                break;
            }
            let world = lockstep.world();
            let Some(found) = search.operation(&generator, world, wanted) else {
                break;
            };
            let mut rest = Unstructured::new(&found);
            let Some(operation) = generator.next(lockstep.world(), &mut rest) else {
                break;
            };
            bytes.extend_from_slice(&found[..found.len() - rest.len()]);
            if !matches!(lockstep.step(&operation), Ok(Step::Performed(_))) {
                break;
            }
            performed += 1;
            if OperationKind::of(&operation) == OperationKind::of(wanted) {
                relative.made += 1;
                relative.exact += usize::from(operation == *wanted);
                break;
            }
        }
    }
    relative.bytes = bytes;
    relative
}

struct Search {
    random: ChaCha8Rng,
}

impl Search {
    /// Bytes of the most fitting focus.
    fn focus(&mut self, trace: &Trace, operations: &[Operation], options: &Options) -> Vec<u8> {
        let fit = |bytes: &[u8]| {
            let mut rest = Unstructured::new(bytes);
            let generator = Generator::new(&mut rest, options);
            let used = bytes.len() - rest.len();
            (fitness(generator.focus(), trace, operations, options), used)
        };
        let guesses = (0..GUESSES).map(|_| self.guess());
        let guessed = guesses.max_by_key(|bytes| fit(bytes).0);
        let mut best = guessed.unwrap_or_default();
        let (mut score, mut used) = fit(&best);
        for _ in 0..CHANGES {
            let changed = self.changed(&best, used);
            let (other, length) = fit(&changed);
            if other >= score {
                (best, score, used) = (changed, other, length);
            }
        }
        best.truncate(used);
        best
    }

    /// Bytes of the operation that is most like the wanted one; of any that was planned; none
    /// where none of its kind is made.
    fn operation(
        &mut self,
        generator: &Generator,
        world: &World,
        wanted: &Operation,
    ) -> Option<Vec<u8>> {
        let kind = OperationKind::of(wanted);
        let words = words(wanted);
        let likeness = |bytes: &[u8]| {
            let mut rest = Unstructured::new(bytes);
            let made = generator.clone().next(world, &mut rest)?;
            let used = bytes.len() - rest.len();
            if used == 0 {
                // It was planned before, and is made of any bytes.
                return Some((usize::MAX, 0));
            }
            if OperationKind::of(&made) != kind {
                return None;
            }
            let score = if made == *wanted {
                usize::MAX
            } else {
                alike(&words, &self::words(&made))
            };
            Some((score, used))
        };
        let mut guesses = (0..GUESSES).map(|_| self.guess());
        let (mut best, (mut score, mut used)) =
            guesses.find_map(|bytes| likeness(&bytes).map(|found| (bytes, found)))?;
        for _ in 0..CHANGES {
            if score == usize::MAX {
                break;
            }
            let changed = self.changed(&best, used);
            if let Some((other, length)) = likeness(&changed)
                && other >= score
            {
                (best, score, used) = (changed, other, length);
            }
        }
        Some(best)
    }

    fn guess(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; OFFERED];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// The same but for one to three of the bytes that are used.
    fn changed(&mut self, bytes: &[u8], used: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let random = self.random.next_u64().to_le_bytes();
        let count = 1 + usize::from(random[0] % 3);
        for pair in random[1..].chunks_exact(2).take(count) {
            let place = usize::from(pair[0]) % used.max(1);
            bytes[place] = pair[1];
        }
        bytes
    }
}

/// How well a focus fits a trace.
fn fitness(focus: &Focus, trace: &Trace, operations: &[Operation], options: &Options) -> usize {
    let (has, wants) = (&focus.header, &trace.header);
    let mut score = 0;
    let mut weigh = |weight: usize, holds: bool| score += weight * usize::from(holds);
    weigh(200, has.processes >= wants.processes);
    weigh(100, has.processes == wants.processes);
    weigh(60, has.trim == wants.trim);
    weigh(60, has.pages == wants.pages);
    weigh(60, has.uninitialized == wants.uninitialized);
    // What is asked of it is in pages, and small ones are quick.
    weigh(20, has.page_size == 64);
    weigh(60, focus.length == options.length);
    weigh(4, focus.strange > 0);
    weigh(4, focus.strange < 20);
    for share in focus.shares {
        weigh(40, share > 0);
    }
    let mut paths: Vec<&Path> = operations.iter().filter_map(path).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        weigh(80, focus.paths.contains(path));
    }
    let lengths = operations.iter().filter_map(length);
    for length in lengths {
        let pages = length.div_ceil(wants.page_size);
        weigh(10, focus.pages.contains(&pages));
    }
    score
}

/// The file that an operation names.
fn path(operation: &Operation) -> Option<&Path> {
    match operation {
        Operation::Call(_, Call::Open { path, .. } | Call::Exec { path, .. }) => Some(path),
        Operation::Call(_, Call::Unlink(path)) => Some(path),
        _ => None,
    }
}

/// How many bytes an operation maps.
fn length(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Call(_, Call::Mmap(mmap)) => Some(mmap.length),
        _ => None,
    }
}

/// What an operation's text is made of.
fn words(operation: &Operation) -> Vec<String> {
    let text = Text(operation).to_string();
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_owned).collect()
}

/// How many words of a thousand are the same.
fn alike(some: &[String], others: &[String]) -> usize {
    let same = (some.iter().zip(others)).filter(|(one, other)| one == other);
    same.count() * 1000 / some.len().max(others.len()).max(1)
}
