//! The document as data: what `specs/` says of each of its lines.
//!
//! The files are part of the program, so that it can explain itself anywhere. Whoever edits
//! them is told file, line and column of what cannot be read.

use crate::lockstep::OperationKind;
use nommu_model::observation::Sight;
use nommu_model::outcome::Errno;
use serde::Deserialize;
use std::sync::LazyLock;

/// A run of the document's lines, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lines {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl std::fmt::Display for Lines {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first == self.last {
            write!(formatter, "{}", self.first)
        } else {
            write!(formatter, "{}-{}", self.first, self.last)
        }
    }
}

/// Lines as specs write them: `5-6` or `184-186, 199`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Source(pub Vec<Lines>);

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let problem =
            || format!("found the lines `{text}`, expected ranges in order such as `5-6, 199`");
        let mut ranges: Vec<Lines> = Vec::new();
        for range in text.split(',').map(str::trim) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |digits: &str| digits.parse().map_err(|_| problem());
            let lines = Lines {
                first: number(first)?,
                last: number(last)?,
            };
            let follows = ranges.last().is_none_or(|before| before.last < lines.first);
            if lines.first == 0 || lines.last < lines.first || !follows {
                return Err(problem());
            }
            ranges.push(lines);
        }
        Ok(Self(ranges))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, lines) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{lines}")?;
        }
        Ok(())
    }
}

impl Source {
    /// Every line.
    pub fn lines(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|lines| lines.first..=lines.last)
    }
}

/// What a sentence of the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It demands or permits.
    Rule,
    /// It says what something is.
    Definition,
    /// It says why.
    Rationale,
    /// It recommends.
    Advice,
}

/// Which machines a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Those with an MMU.
    Mmu,
    /// Those without.
    NoMmu,
    /// Both.
    Both,
}

/// How much a rule demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It has to be so.
    Must,
    /// It has to be so, unless there is a good reason.
    Should,
    /// It may be so; what is demanded is that it is right where it is so.
    May,
}

impl std::fmt::Display for Level {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::May => "may",
        })
    }
}

/// What has to be observable for a rule to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// What calls answer.
    Outcome,
    /// The mappings of each process.
    Mappings,
    /// The regions of the system, with what is kept beyond their ends.
    Regions,
    /// The allocator's free blocks.
    FreeBlocks,
    /// Sizes of files.
    Files,
    /// Where memory-backed files keep their pages.
    FilePages,
    /// SysV segments.
    Segments,
    /// What drivers were asked.
    Drivers,
    /// What memory and files hold.
    Contents,
}

impl Need {
    /// Whether a target shows it.
    pub fn is_met(self, sight: Sight) -> bool {
        sight.contains(match self {
            Need::Outcome => return true,
            Need::Mappings => Sight::MAPPINGS,
            Need::Regions => Sight::REGIONS,
            Need::FreeBlocks => Sight::FREE_BLOCKS,
            Need::Files => Sight::FILES,
            Need::FilePages => Sight::FILE_PAGES,
            Need::Segments => Sight::SEGMENTS,
            Need::Drivers => Sight::DRIVERS,
            Need::Contents => Sight::CONTENTS,
        })
    }
}

/// Whether a target that shows so much shows what it takes to judge a rule.
pub fn is_observable(rule: &str, sight: Sight) -> bool {
    specs()
        .rule(rule)
        .is_none_or(|rule| rule.needs.iter().all(|need| need.is_met(sight)))
}

/// A section of the document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its name in `specs/`, in `model/src/rules/` and in `corpus/conformance/`.
    pub section: String,
    /// Its heading.
    pub title: String,
    /// Its place in the document, counted from 1.
    pub order: u32,
    /// Its sentences, in the document's order.
    #[serde(rename = "entry", default)]
    pub entries: Vec<Entry>,
}

/// A sentence of the document, or a part of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The rule's id; rules have one.
    pub id: Option<String>,
    /// Where it stands.
    pub lines: Source,
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub case: Case,
    /// How much it demands; rules say.
    pub level: Option<Level>,
    /// What has to be observable; rules say.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// What it says, in our words.
    pub words: String,
    /// Of the lines it was made from; see [`checksum`].
    pub checksum: Option<String>,
}

/// Something that the document leaves open.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The rule that enforces what is required.
    pub id: String,
    /// The lines that leave it open.
    pub lines: Source,
    /// How much is demanded.
    pub level: Level,
    /// What has to be observable.
    pub needs: Vec<Need>,
    /// What is left open.
    pub open: String,
    /// What is required.
    pub required: String,
    /// Why that.
    pub why: String,
    /// Of the lines; see [`checksum`].
    pub checksum: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gaps {
    #[serde(rename = "gap", default)]
    gaps: Vec<Gap>,
}

/// Whose fault a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The implementation means it.
    Choice,
    /// The implementation is wrong.
    Bug,
    /// A sentence of the document is not clear.
    Unclear,
}

impl std::fmt::Display for Class {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Class::Choice => "a choice of the implementation",
            Class::Bug => "a bug of the implementation",
            Class::Unclear => "an unclear sentence of the document",
        })
    }
}

/// Where an implementation is known to differ.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// What it is called, in profiles too.
    pub id: String,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// What it differs from.
    pub lines: Source,
    /// What the document says.
    pub document: String,
    /// What the implementation does.
    pub kernel: String,
    /// Why, as found in its source.
    pub why: String,
    /// Whose fault it is.
    pub class: Class,
    /// The version that brought it.
    pub since: String,
    /// Traces that show it, below `corpus/`: the plainest first.
    #[serde(default)]
    pub traces: Vec<String>,
    /// Answers that show it, where the model cannot say what follows from it.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

/// How an operation is answered that shows a deviation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Answer {
    /// The kind of operation.
    pub operation: String,
    /// Words that its [shape](crate::shape) has to have besides.
    pub of: Vec<String>,
    /// How it ends.
    pub ending: Ending,
}

/// How an operation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With success.
    Done,
    /// With an error of this name.
    Error(String),
    /// With any error: what a driver answered is answered on.
    AnyError,
    /// With complaints in which these words are.
    Crash(String),
}

impl TryFrom<String> for Answer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let problem = || {
            format!(
                "found the answer `{text}`, expected such as `mmap: done`, `mmap flash, private: \
                 EINVAL` or `munmap: crash maple_tree.h`"
            )
        };
        let (asked, ending) = text.split_once(": ").ok_or_else(problem)?;
        let (operation, of) = asked.split_once(' ').unwrap_or((asked, ""));
        let of = of.split(", ").filter(|words| !words.is_empty());
        let is_kind = OperationKind::all().any(|kind| kind.name() == operation);
        let ending = match ending.strip_prefix("crash ") {
            Some(words) => Ending::Crash(words.to_owned()),
            None if ending == "done" => Ending::Done,
            None if ending == "error" => Ending::AnyError,
            None if Errno::ALL.iter().any(|errno| errno.to_string() == ending) => {
                Ending::Error(ending.to_owned())
            }
            None => return Err(problem()),
        };
        if !is_kind {
            return Err(problem());
        }
        Ok(Self {
            operation: operation.to_owned(),
            of: of.map(str::to_owned).collect(),
            ending,
        })
    }
}

/// The deviations of one implementation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// The implementation, and the profile that accepts them.
    pub target: String,
    /// What is known.
    #[serde(rename = "deviation", default)]
    pub deviations: Vec<Deviation>,
}

/// The shape of the document that the entries were made from, so that another edition can be
/// held against it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Which edition.
    pub edition: String,
    /// Lines that are headings.
    pub headings: Source,
    /// Lines that are empty.
    pub blank: Source,
    /// One of each line; see [`checksum`].
    pub checksums: Vec<String>,
}

/// All of `specs/`.
#[derive(Clone, Debug)]
pub struct Specs {
    /// The sections, in order.
    pub sections: Vec<Section>,
    /// What is left open.
    pub gaps: Vec<Gap>,
    /// What is known of implementations.
    pub deviations: Vec<Deviations>,
    /// The document.
    pub document: Document,
}

/// A file of `specs/` that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub problem: String,
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.problem
        )
    }
}

impl std::error::Error for SpecError {}

/// Reads one file.
///
/// # Errors
///
/// Where it is not what it should be.
pub fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, SpecError> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SpecError {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: error.message().to_owned(),
        }
    })
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../specs/", $name)))),*]
    };
}

const SECTIONS: &[(&str, &str)] = files![
    "no-mmu-memory-mapping-support.toml",
    "further-notes.toml",
    "interprocess-shared-memory.toml",
    "futexes.toml",
    "no-mmu-mremap.toml",
    "shareable-character-devices.toml",
    "shareable-memory-backed-files.toml",
    "shareable-block-devices.toml",
    "page-trimming.toml",
];
const GAPS: &[(&str, &str)] = files!["gaps.toml"];
const DEVIATIONS: &[(&str, &str)] =
    files!["deviations/linux-6.12.toml", "deviations/linux-6.1.toml"];
const DOCUMENT: &[(&str, &str)] = files!["document.toml"];

/// The names of all files of `specs/` that are data, in order.
pub fn file_names() -> impl Iterator<Item = &'static str> {
    [SECTIONS, GAPS, DEVIATIONS, DOCUMENT]
        .into_iter()
        .flatten()
        .map(|(name, _)| *name)
}

static SPECS: LazyLock<Result<Specs, SpecError>> = LazyLock::new(|| {
    let all = |files: &[(&str, &str)]| -> Result<Vec<Section>, SpecError> {
        files.iter().map(|(name, text)| read(name, text)).collect()
    };
    let Gaps { gaps } = read(GAPS[0].0, GAPS[0].1)?;
    Ok(Specs {
        sections: all(SECTIONS)?,
        gaps,
        deviations: DEVIATIONS
            .iter()
            .map(|(name, text)| read(name, text))
            .collect::<Result<_, _>>()?,
        document: read(DOCUMENT[0].0, DOCUMENT[0].1)?,
    })
});

/// What `specs/` says.
///
/// # Panics
///
/// When a file of `specs/` cannot be read, which the tests notice before any user.
pub fn specs() -> &'static Specs {
    match &*SPECS {
        Ok(specs) => specs,
        Err(error) => panic!("specs/{error}"),
    }
}

/// What `specs/` says of one rule, a gap's or a section's.
#[derive(Clone, Copy, Debug)]
pub struct RuleSpec<'a> {
    /// Its id.
    pub id: &'a str,
    /// The section it is in; or `gaps`.
    pub section: &'a str,
    /// Where it comes from.
    pub lines: &'a Source,
    /// How much it demands.
    pub level: Level,
    /// What has to be observable.
    pub needs: &'a [Need],
    /// What it says.
    pub words: &'a str,
    /// The gap, if it is one's.
    pub gap: Option<&'a Gap>,
}

impl Specs {
    /// All rules about machines without an MMU, in the document's order; the gaps last.
    pub fn rules(&self) -> impl Iterator<Item = RuleSpec<'_>> {
        let of_sections = self.sections.iter().flat_map(|section| {
            section.entries.iter().filter_map(|entry| {
                let no_mmu = entry.kind == Kind::Rule && entry.case != Case::Mmu;
                Some(RuleSpec {
                    id: entry.id.as_deref().filter(|_| no_mmu)?,
                    section: &section.section,
                    lines: &entry.lines,
                    level: entry.level?,
                    needs: &entry.needs,
                    words: &entry.words,
                    gap: None,
                })
            })
        });
        let of_gaps = self.gaps.iter().map(|gap| RuleSpec {
            id: &gap.id,
            section: "gaps",
            lines: &gap.lines,
            level: gap.level,
            needs: &gap.needs,
            words: &gap.required,
            gap: Some(gap),
        });
        of_sections.chain(of_gaps)
    }

    /// One rule.
    pub fn rule(&self, id: &str) -> Option<RuleSpec<'_>> {
        self.rules().find(|rule| rule.id == id)
    }

    /// The ids that a profile accepts beside the documented behaviour, sorted; none for a
    /// profile that is not known. `documented` accepts nothing.
    pub fn profile(&self, name: &str) -> Option<Vec<String>> {
        if name == "documented" {
            return Some(Vec::new());
        }
        let found = self
            .deviations
            .iter()
            .find(|deviations| deviations.target == name)?;
        let mut ids: Vec<String> = found
            .deviations
            .iter()
            .map(|deviation| deviation.id.clone())
            .collect();
        ids.sort();
        Some(ids)
    }
}

/// Of lines of the document, by their words: white space does not count.
pub fn checksum<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = lines.into_iter().flat_map(str::split_whitespace).collect();
    format!(
        "{:016x}",
        xxhash_rust::xxh3::xxh3_64(words.join(" ").as_bytes())
    )
}

#[cfg(test)]
mod tests;
