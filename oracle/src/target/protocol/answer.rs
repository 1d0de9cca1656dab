//! Reading an answer, a line at a time, into what is known of the target's state.

use super::shorten;
use nommu_model::observation::{
    DriverView, FilePageView, FileView, FreeBlock, MappingView, Object, Observation, ProcessView,
    RegionView, SegmentView,
};
use nommu_model::op::{Process, Protection};
use nommu_model::outcome::{Errno, Outcome, Value};
use std::str::FromStr;

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// What came of the operation, or the target's words why it was asked wrongly.
    pub outcome: Result<Outcome, String>,
    /// Where in the target's memory the bytes that were asked for lie.
    pub place: Option<u64>,
    /// Whether an allocation was made to fail.
    pub failed: bool,
    /// The implementation's complaints about itself.
    pub complaints: Vec<String>,
    /// What was left over of the trace before.
    pub leaks: Vec<String>,
}

/// Reads one answer.
pub struct Reader<'a> {
    observation: &'a mut Observation,
    outcome: Option<Outcome>,
    place: Option<u64>,
    failed: bool,
    complaints: Vec<String>,
    leaks: Vec<String>,
    list: List,
    /// Lines of the list that are still to come.
    rest: usize,
    changed: Changed,
}

/// Which list the lines that begin with `-` belong to.
enum List {
    None,
    AnsweredMappings(Vec<MappingView>),
    AnsweredRegions(Vec<RegionView>),
    Mappings(Process),
    Regions,
    Free,
    Files,
    Segments,
    Drivers,
}

/// Parts that have to be sorted at the end.
#[derive(Default)]
struct Changed {
    regions: bool,
}

type Read<T> = Result<T, String>;

fn unexpected<T>(found: &str, expected: &str) -> Read<T> {
    Err(format!("found `{}`, expected {expected}", shorten(found)))
}

impl<'a> Reader<'a> {
    /// Nothing was read yet.
    pub fn new(observation: &'a mut Observation) -> Self {
        Self {
            observation,
            outcome: None,
            place: None,
            failed: false,
            complaints: Vec::new(),
            leaks: Vec::new(),
            list: List::None,
            rest: 0,
            changed: Changed::default(),
        }
    }

    /// Takes in one line; the answer, if it was the last.
    pub fn line(&mut self, line: &str) -> Read<Option<Answer>> {
        if self.rest > 0 {
            let Some(item) = line.strip_prefix("- ") else {
                let expected = format!("`- ` and an item, of which {} are to come", self.rest);
                return unexpected(line, &expected);
            };
            self.item(item)?;
            self.rest -= 1;
            if self.rest == 0 {
                self.close();
            }
            return Ok(None);
        }
        if line == "." {
            let Some(outcome) = self.outcome.take() else {
                return unexpected(line, "`= ` and an outcome before the end of an answer");
            };
            if std::mem::take(&mut self.changed.regions) {
                self.observation.regions.sort_unstable();
            }
            return Ok(Some(self.answer(Ok(outcome))));
        }
        if let Some(words) = line.strip_prefix("! ") {
            return Ok(Some(self.answer(Err(words.to_string()))));
        }
        if let Some(outcome) = line.strip_prefix("= ") {
            if self.outcome.is_some() {
                return unexpected(line, "one outcome");
            }
            self.outcome(outcome)?;
            return Ok(None);
        }
        self.section(line)?;
        Ok(None)
    }

    fn answer(&mut self, outcome: Result<Outcome, String>) -> Answer {
        Answer {
            outcome,
            place: self.place,
            failed: self.failed,
            complaints: std::mem::take(&mut self.complaints),
            leaks: std::mem::take(&mut self.leaks),
        }
    }

    fn outcome(&mut self, text: &str) -> Read<()> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut fields = Fields::new(rest);
        let outcome = match word {
            "done" | "ready" => Outcome::Ok(Value::Done),
            "address" => Outcome::Ok(Value::Address(fields.number()?)),
            "count" => Outcome::Ok(Value::Count(fields.number()?)),
            "bytes" => Outcome::Ok(Value::Bytes(hexadecimal(rest)?)),
            "at" => {
                self.place = Some(fields.number()?);
                Outcome::Ok(Value::Done)
            }
            "segment" => Outcome::Ok(Value::Segment {
                size: fields.number()?,
                attached: fields.number()?,
            }),
            "mappings" => {
                self.rest = fields.count()?;
                self.list = List::AnsweredMappings(Vec::new());
                Outcome::Ok(Value::Mappings(Vec::new()))
            }
            "regions" => {
                self.rest = fields.count()?;
                self.list = List::AnsweredRegions(Vec::new());
                Outcome::Ok(Value::Regions(Vec::new()))
            }
            "error" => error(rest)?,
            "crash" => Outcome::Crash(rest.to_string()),
            "unsupported" => Outcome::Unsupported,
            _ => {
                return unexpected(
                    text,
                    "`done`, `address`, `count`, `bytes`, `at`, `segment`, `mappings`, `regions`, \
                     `error`, `crash` or `unsupported`",
                );
            }
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    fn section(&mut self, line: &str) -> Read<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut fields = Fields::new(rest);
        let (list, count) = match word {
            "mappings" => {
                let process = Process(fields.name('p')?);
                self.process(process).mappings.clear();
                (List::Mappings(process), fields.count()?)
            }
            "gone" => {
                let process = Process(fields.name('p')?);
                self.observation
                    .processes
                    .retain(|view| view.process != process);
                (List::None, 0)
            }
            "regions" => {
                self.observation.regions.clear();
                self.changed.regions = true;
                (List::Regions, fields.count()?)
            }
            "free" => {
                self.observation.free.clear();
                (List::Free, fields.count()?)
            }
            "copied" => {
                self.observation.copied_pages = fields.number()?;
                (List::None, 0)
            }
            "files" => {
                self.observation.files.clear();
                (List::Files, fields.count()?)
            }
            "segments" => {
                self.observation.segments.clear();
                (List::Segments, fields.count()?)
            }
            "drivers" => {
                self.observation.drivers.clear();
                (List::Drivers, fields.count()?)
            }
            "failed" => {
                self.failed = true;
                (List::None, 0)
            }
            "log" => {
                self.complaints.push(rest.to_string());
                (List::None, 0)
            }
            "leak" => {
                self.leaks.push(rest.to_string());
                (List::None, 0)
            }
            _ => {
                return unexpected(
                    line,
                    "a part such as `mappings p0 2`, `regions 1` or `files 3`, or `.`",
                );
            }
        };
        self.list = list;
        self.rest = count;
        Ok(())
    }

    fn process(&mut self, process: Process) -> &mut ProcessView {
        let processes = &mut self.observation.processes;
        let place = match processes.binary_search_by_key(&process, |view| view.process) {
            Ok(place) => place,
            Err(place) => {
                let mappings = Vec::new();
                processes.insert(place, ProcessView { process, mappings });
                place
            }
        };
        &mut processes[place]
    }

    fn item(&mut self, item: &str) -> Read<()> {
        let mut fields = Fields::new(item);
        let is_last = self.rest == 1;
        match &mut self.list {
            List::None => return unexpected(item, "no item here"),
            List::AnsweredMappings(mappings) => mappings.push(fields.mapping()?),
            List::AnsweredRegions(regions) => regions.push(fields.region()?),
            List::Mappings(process) => {
                let process = *process;
                let mapping = fields.mapping()?;
                let view = self.process(process);
                view.mappings.push(mapping);
                if is_last {
                    view.mappings.sort_unstable();
                }
            }
            List::Regions => {
                let region = fields.region()?;
                self.observation.regions.push(region);
            }
            List::Free => {
                let (start, order) = (fields.number()?, fields.count()?);
                let Ok(order) = u8::try_from(order) else {
                    return unexpected(item, "an order below 256");
                };
                self.observation.free.push(FreeBlock { start, order });
            }
            List::Files => {
                let number = fields.small()?;
                let size = fields.number()?;
                let pages = fields.pages()?;
                self.observation.files.push(FileView {
                    number,
                    size,
                    pages,
                });
                return Ok(());
            }
            List::Segments => {
                let view = SegmentView {
                    number: fields.small()?,
                    size: fields.number()?,
                    attached: fields.word32()?,
                    removed: fields.one_of("removed", "kept")?,
                    start: fields.number()?,
                };
                self.observation.segments.push(view);
            }
            List::Drivers => {
                let view = DriverView {
                    number: fields.small()?,
                    area_calls: fields.word32()?,
                    mmap_calls: fields.word32()?,
                    close_calls: fields.word32()?,
                };
                self.observation.drivers.push(view);
            }
        }
        fields.end()
    }

    /// A list is complete.
    fn close(&mut self) {
        let value = match std::mem::replace(&mut self.list, List::None) {
            List::AnsweredMappings(mappings) => Value::Mappings(mappings),
            List::AnsweredRegions(regions) => Value::Regions(regions),
            _ => return,
        };
        self.outcome = Some(Outcome::Ok(value));
    }
}

/// An error by its name or its number.
fn error(text: &str) -> Read<Outcome> {
    let errno = match text.parse::<u32>() {
        Ok(number) => Errno::from_number(number),
        Err(_) => Errno::from_name(text),
    };
    match errno {
        Some(errno) => Ok(Outcome::Error(errno)),
        None => unexpected(
            text,
            "an error's name or number that specs/protocol.md lists",
        ),
    }
}

fn hexadecimal(text: &str) -> Read<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return unexpected(text, "two hexadecimal digits for each byte");
    }
    pairs
        .map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8))
        .collect::<Option<Vec<u8>>>()
        .map_or_else(
            || unexpected(text, "two hexadecimal digits for each byte"),
            Ok,
        )
}

/// The words of a line.
struct Fields<'a> {
    words: std::str::Split<'a, char>,
    line: &'a str,
}

impl<'a> Fields<'a> {
    fn new(line: &'a str) -> Self {
        Self {
            words: line.split(' '),
            line,
        }
    }

    fn word(&mut self, expected: &str) -> Read<&'a str> {
        match self.words.next() {
            Some(word) if !word.is_empty() => Ok(word),
            _ => unexpected(self.line, expected),
        }
    }

    fn number(&mut self) -> Read<u64> {
        let word = self.word("a number")?;
        number(word)
    }

    fn decimal<T: FromStr>(&mut self, expected: &str) -> Read<T> {
        decimal(self.word(expected)?, expected)
    }

    fn count(&mut self) -> Read<usize> {
        self.decimal("a count")
    }

    fn small(&mut self) -> Read<u16> {
        self.decimal("a number below 65536")
    }

    fn word32(&mut self) -> Read<u32> {
        self.decimal("a number below 2^32")
    }

    fn name(&mut self, letter: char) -> Read<u16> {
        let expected = "a process such as `p0`";
        let word = self.word(expected)?;
        word.strip_prefix(letter)
            .and_then(|digits| digits.parse().ok())
            .map_or_else(|| unexpected(word, expected), Ok)
    }

    fn one_of(&mut self, yes: &str, no: &str) -> Read<bool> {
        let expected = format!("`{yes}` or `{no}`");
        let word = self.word(&expected)?;
        match word {
            _ if word == yes => Ok(true),
            _ if word == no => Ok(false),
            _ => unexpected(word, &expected),
        }
    }

    fn object(&mut self) -> Read<Option<Object>> {
        let expected = "`anonymous`, `file3` or `segment0`";
        let word = self.word(expected)?;
        if word == "anonymous" {
            return Ok(None);
        }
        let file = word.strip_prefix("file").and_then(|it| it.parse().ok());
        let segment = word.strip_prefix("segment").and_then(|it| it.parse().ok());
        match (file, segment) {
            (Some(number), _) => Ok(Some(Object::File(number))),
            (_, Some(number)) => Ok(Some(Object::Segment(number))),
            _ => unexpected(word, expected),
        }
    }

    /// `start end rwxs object offset`.
    fn mapping(&mut self) -> Read<MappingView> {
        let (start, end) = (self.number()?, self.number()?);
        let expected = "letters such as `r--p`";
        let letters = self.word(expected)?;
        let shared = match letters.as_bytes() {
            [_, _, _, b's'] => true,
            [_, _, _, b'p'] => false,
            _ => return unexpected(letters, expected),
        };
        Ok(MappingView {
            start,
            end,
            protection: protection(&letters[..3])?,
            shared,
            object: self.object()?,
            offset: self.number()?,
        })
    }

    /// `start end top rwx copy|direct object offset users`.
    fn region(&mut self) -> Read<RegionView> {
        Ok(RegionView {
            start: self.number()?,
            end: self.number()?,
            top: self.number()?,
            protection: protection(self.word("letters such as `r--`")?)?,
            copy: self.one_of("copy", "direct")?,
            object: self.object()?,
            offset: self.number()?,
            users: self.word32()?,
        })
    }

    /// The addresses of a file's pages, `-` for a hole and `-3` for three.
    fn pages(&mut self) -> Read<Vec<FilePageView>> {
        let mut pages = Vec::new();
        let mut index: u32 = 0;
        for word in self.words.by_ref() {
            let holes = match word.strip_prefix('-') {
                None => 0,
                Some("") => 1,
                Some(count) => decimal(count, "a number of holes below 2^32")?,
            };
            if holes == 0 {
                let address = number(word)?;
                pages.push(FilePageView { index, address });
            }
            let Some(next) = index.checked_add(holes.max(1)) else {
                return unexpected(word, "fewer than 2^32 pages");
            };
            index = next;
        }
        Ok(pages)
    }

    fn end(&mut self) -> Read<()> {
        match self.words.next() {
            None => Ok(()),
            Some(_) => unexpected(self.line, "fewer words"),
        }
    }
}

fn protection(letters: &str) -> Read<Protection> {
    let mut protection = Protection::empty();
    let bits = [
        ('r', Protection::READ),
        ('w', Protection::WRITE),
        ('x', Protection::EXEC),
    ];
    if letters.len() != bits.len() {
        return unexpected(letters, "letters such as `r--`");
    }
    for (letter, (known, bit)) in letters.chars().zip(bits) {
        if letter == known {
            protection |= bit;
        } else if letter != '-' {
            return unexpected(letters, "letters such as `r--`");
        }
    }
    Ok(protection)
}

fn decimal<T: FromStr>(word: &str, expected: &str) -> Read<T> {
    word.parse().or_else(|_| unexpected(word, expected))
}

/// A number, decimal or hexadecimal.
pub(super) fn number(word: &str) -> Read<u64> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.or_else(|_| unexpected(word, "a number below 2^64"))
}
