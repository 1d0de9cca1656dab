//! Reading a trace, a line at a time.

use super::cursor::{Cursor, Mismatch, Token, number};
use super::header::{Header, PROFILES, is_page_size};
use super::names::Names;
use super::operation::operation;
use super::{FILE_LIMIT, LINE_LIMIT, Line, OPERATION_LIMIT, Place, Problem, Trace};
use nommu_model::op::Operation;

/// Reads a whole text.
pub fn trace(file: &str, text: &[u8]) -> Result<Trace, Box<Problem>> {
    let mut reader = Reader::default();
    if text.len() > FILE_LIMIT {
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let start = &first[..first.len().min(80)];
        return Err(problem(
            file,
            1,
            &String::from_utf8_lossy(start),
            too_long_file(text.len()),
        ));
    }
    for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() > LINE_LIMIT {
            let start = String::from_utf8_lossy(&bytes[..80]).into_owned();
            return Err(problem(file, index + 1, &start, too_long_line(bytes.len())));
        }
        let line = match std::str::from_utf8(bytes) {
            Ok(line) => line,
            Err(error) => {
                let shown = String::from_utf8_lossy(bytes);
                let mismatch = not_text(bytes, error.valid_up_to());
                return Err(problem(file, index + 1, &shown, mismatch));
            }
        };
        reader
            .line(index + 1, line)
            .map_err(|mismatch| problem(file, index + 1, line, mismatch))?;
    }
    reader.trace.closing = reader.comments;
    Ok(reader.trace)
}

/// Reads one operation on a line of its own, without those that bind its names. What is wrong with
/// it is said in a sentence.
pub fn single(line: &str) -> Result<Operation, String> {
    let mut cursor = Cursor::new(line);
    whole(&mut cursor, &mut Names::any()).map_err(|mismatch| {
        let column = line[..mismatch.span.start].chars().count() + 1;
        let Mismatch {
            found, expected, ..
        } = mismatch;
        format!("column {column}: found {found}, expected {expected}")
    })
}

/// Reads an operation up to the end of its line.
fn whole(cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Operation, Mismatch> {
    let operation = operation(cursor, names)?;
    match cursor.peek() {
        Token::End => Ok(operation),
        _ => Err(cursor.mismatch("the end of the operation")),
    }
}

/// What has been read.
#[derive(Default)]
struct Reader {
    trace: Trace,
    has_header: bool,
    /// Comments that wait for their operation.
    comments: Vec<String>,
    /// Names that are bound.
    names: Option<Names>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Mismatch> {
        let trimmed = line.trim_matches([' ', '\t']);
        if let Some(marked) = trimmed.strip_prefix("#!") {
            return self.header(line, line.len() - line.trim_start().len(), marked);
        }
        if let Some(text) = trimmed.strip_prefix('#') {
            self.comments.push(comment(text));
            return Ok(());
        }
        if trimmed.is_empty() {
            return Ok(());
        }
        let mut cursor = Cursor::new(line);
        let start = cursor.span().start;
        if self.trace.lines.len() == OPERATION_LIMIT {
            return Err(cursor.mismatch(format!("at most {OPERATION_LIMIT} operations")));
        }
        let names = self
            .names
            .get_or_insert_with(|| Names::new(self.trace.header.processes));
        let operation = whole(&mut cursor, names)?;
        let beside = cursor.rest().strip_prefix('#').map(comment);
        self.trace.lines.push(Line {
            operation,
            above: std::mem::take(&mut self.comments),
            beside,
            place: Some(Place {
                line: number,
                column: line[..start].chars().count() + 1,
            }),
        });
        Ok(())
    }

    /// Reads the header; `marked` is what follows its `#!`, which is at `start` of the line.
    fn header(&mut self, line: &str, start: usize, marked: &str) -> Result<(), Mismatch> {
        if self.has_header || !self.trace.lines.is_empty() {
            return Err(Mismatch {
                span: start..start + 2,
                found: "another header".into(),
                expected: "one header, before the first operation".into(),
                help: Some("a comment begins with `# `".into()),
            });
        }
        self.has_header = true;
        let mut words = words(line, line.len() - marked.len() - trailing(line));
        expect_word(&mut words, line, "nommu-trace")?;
        expect_word(&mut words, line, "v1")?;
        let mut seen: Vec<&str> = Vec::new();
        for (at, word) in words {
            let span = at..at + word.len();
            let (key, value) = word.split_once('=').ok_or_else(|| {
                unexpected(span.clone(), word, "a key and its value, as in `page=4096`")
            })?;
            if seen.contains(&key) {
                return Err(unexpected(span, word, "each key once"));
            }
            seen.push(key);
            let value_span = at + key.len() + 1..at + word.len();
            self.set(key, value, span, value_span)?;
        }
        if !self.trace.header.fits() {
            return Err(Mismatch {
                span: start..start + 2,
                found: format!(
                    "{} pages of {:#x} bytes",
                    self.trace.header.pages, self.trace.header.page_size
                ),
                expected: format!("at most {:#x} bytes of memory", Header::WINDOW_LIMIT),
                help: Some("the number of pages counts as rounded up to a power of two".into()),
            });
        }
        Ok(())
    }

    fn set(
        &mut self,
        key: &str,
        value: &str,
        span: std::ops::Range<usize>,
        value_span: std::ops::Range<usize>,
    ) -> Result<(), Mismatch> {
        let header = &mut self.trace.header;
        let wrong = |expected: &str| unexpected(value_span.clone(), value, expected);
        match key {
            "page" => {
                header.page_size = number(value)
                    .filter(|size| is_page_size(*size))
                    .ok_or_else(|| wrong("a power of two from 16 to 65536"))?;
            }
            "pages" => {
                header.pages = number(value)
                    .filter(|pages| *pages > 0)
                    .ok_or_else(|| wrong("a number of pages above 0"))?;
            }
            "trim" => {
                header.trim = number(value).ok_or_else(|| wrong("a number of pages"))?;
            }
            "uninitialized" => {
                header.uninitialized = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(wrong("`yes` or `no`")),
                };
            }
            "profile" => {
                if !PROFILES.contains(&value) {
                    return Err(wrong(&one_of(PROFILES)));
                }
                header.profile = value.into();
            }
            "processes" => {
                header.processes = number(value)
                    .and_then(|processes| u16::try_from(processes).ok())
                    .filter(|processes| (1..=Header::PROCESS_LIMIT).contains(processes))
                    .ok_or_else(|| wrong("a number of processes from 1 to 256"))?;
            }
            "failure" => {
                header.failure = number(value).ok_or_else(|| wrong("a number of allocations"))?;
            }
            _ => {
                let keys = [
                    "page",
                    "pages",
                    "trim",
                    "uninitialized",
                    "profile",
                    "processes",
                    "failure",
                ];
                return Err(unexpected(
                    span.start..value_span.start - 1,
                    key,
                    &one_of(&keys),
                ));
            }
        }
        Ok(())
    }
}

/// A comment's text, without its `#`.
fn comment(text: &str) -> String {
    text.strip_prefix(' ').unwrap_or(text).trim_end().into()
}

/// Bytes of blanks at the line's end.
fn trailing(line: &str) -> usize {
    line.len() - line.trim_end_matches([' ', '\t']).len()
}

/// The words of a line from a place on, each with where it is.
fn words(line: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    line[from..]
        .split([' ', '\t'])
        .scan(from, |next, word| {
            let at = *next;
            *next += word.len() + 1;
            Some((at, word))
        })
        .filter(|(_, word)| !word.is_empty())
}

fn expect_word<'a>(
    words: &mut impl Iterator<Item = (usize, &'a str)>,
    line: &str,
    expected: &str,
) -> Result<(), Mismatch> {
    let described = "`#! nommu-trace v1`, then keys such as `page=4096`";
    match words.next() {
        Some((_, word)) if word == expected => Ok(()),
        Some((at, word)) => Err(unexpected(at..at + word.len(), word, described)),
        None => Err(Mismatch {
            span: line.len()..line.len(),
            found: "the end of the line".into(),
            expected: described.into(),
            help: None,
        }),
    }
}

fn unexpected(span: std::ops::Range<usize>, found: &str, expected: &str) -> Mismatch {
    Mismatch {
        span,
        found: match found {
            "" => "nothing".into(),
            _ => format!("`{}`", found.escape_debug()),
        },
        expected: expected.into(),
        help: None,
    }
}

/// ``one of `a`, `b` or `c` ``, without the words that one or two need not.
pub fn one_of(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn too_long_file(bytes: usize) -> Mismatch {
    Mismatch {
        span: 0..0,
        found: format!("{bytes} bytes"),
        expected: format!("a file of at most {FILE_LIMIT} bytes"),
        help: None,
    }
}

fn too_long_line(bytes: usize) -> Mismatch {
    Mismatch {
        span: 0..0,
        found: format!("a line of {bytes} bytes"),
        expected: format!("at most {LINE_LIMIT} bytes"),
        help: None,
    }
}

fn not_text(bytes: &[u8], at: usize) -> Mismatch {
    Mismatch {
        span: at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
        found: format!("byte {:#04x}", bytes[at]),
        expected: "UTF-8 text".into(),
        help: None,
    }
}

fn problem(file: &str, line: usize, source: &str, mismatch: Mismatch) -> Box<Problem> {
    Box::new(Problem {
        file: file.into(),
        line,
        column: source[..mismatch.span.start].chars().count() + 1,
        found: mismatch.found,
        expected: mismatch.expected,
        help: mismatch.help,
        source: source.into(),
        span: mismatch.span,
    })
}
