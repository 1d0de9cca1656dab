//! The answering side: any target, asked over an input and an output.

use super::answer::number;
use super::{FAILURES, LINE_LIMIT, SIGHTS, VERSION, read_line, shorten, show};
use crate::target::Target;
use crate::trace::{self, Header};
use nommu_model::observation::Observation;
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::{Config, Window};
use std::io::{BufReader, BufWriter, Read, Write};

/// Why a conversation ended before it was over.
#[derive(Debug)]
pub enum Ended {
    /// What was asked is not the protocol: what was found, and what was expected.
    Asked(String),
    /// Nobody hears the answers.
    Unheard(std::io::Error),
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Unheard(error)
    }
}

/// Answers what is asked of a target until the other side says `end`, or its lines end. A question
/// that makes no sense is answered so, and the next one is heard.
///
/// # Errors
///
/// When what comes is no line of text or another version, and when answers cannot be written.
pub fn serve(target: &mut impl Target, input: impl Read, output: impl Write) -> Result<(), Ended> {
    let (mut input, mut output) = (BufReader::new(input), BufWriter::new(output));
    let Some(first) = read_line(&mut input) else {
        return Ok(());
    };
    output.write_all(greeting(target).as_bytes())?;
    output.flush()?;
    let expected = format!("nommu-protocol {VERSION}");
    match first {
        Ok(first) if first == expected => {}
        Ok(first) => {
            let found = shorten(&first);
            return Err(Ended::Asked(format!(
                "handshake: found `{found}`, expected `{expected}`"
            )));
        }
        Err(problem) => return Err(Ended::Asked(format!("handshake: {problem}"))),
    }
    let mut server = Server {
        target,
        begun: false,
        broken: false,
        shown: None,
        now: Observation::default(),
        text: String::new(),
    };
    while let Some(line) = read_line(&mut input) {
        let line = line.map_err(Ended::Asked)?;
        if line == "end" {
            break;
        }
        server.answer(&line);
        output.write_all(server.text.as_bytes())?;
        // Who sent several questions at once may hear the answers at once.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
    output.flush()?;
    Ok(())
}

/// The answer to a handshake.
fn greeting(target: &mut impl Target) -> String {
    let sight = target.sight();
    let mut words: Vec<&str> = (SIGHTS.iter())
        .filter(|(_, part)| sight.contains(*part))
        .map(|(word, _)| *word)
        .collect();
    if target.can_fail_allocations() {
        words.push(FAILURES);
    }
    if words.is_empty() {
        words.push("none");
    }
    let name = target.name().replace(' ', "-");
    format!("nommu-protocol {VERSION} {name} {}\n", words.join("|"))
}

struct Server<'t, T> {
    target: &'t mut T,
    /// Whether there is a system.
    begun: bool,
    /// Whether the target broke: only a fresh system is of use.
    broken: bool,
    /// What was shown last.
    shown: Option<Observation>,
    now: Observation,
    /// The answer.
    text: String,
}

impl<T: Target> Server<'_, T> {
    /// Answers one question.
    fn answer(&mut self, line: &str) {
        self.text.clear();
        let answered = match line.split_once(' ').unwrap_or((line, "")) {
            ("reset", rest) => self.reset(rest),
            _ if !self.begun => {
                let found = shorten(line);
                Err(format!("found `{found}`, expected `reset` before it"))
            }
            ("show", rest) => self.show(rest),
            ("fail", n) => self.fail(n),
            _ if self.broken => {
                let found = shorten(line);
                Err(format!("found `{found}` after a crash, expected `reset`"))
            }
            _ => self.perform(line),
        };
        match answered {
            Ok(()) => self.text.push_str(".\n"),
            Err(problem) => {
                self.text = format!("! {}\n", show::one_line(&problem));
            }
        }
    }

    fn reset(&mut self, settings: &str) -> Result<(), String> {
        let config = config(settings)?;
        let left = match self.begun {
            true => self.target.leftovers().map_err(|error| error.problem)?,
            false => Vec::new(),
        };
        self.begun = false;
        self.shown = None;
        (self.target.reset(&config)).map_err(|error| error.problem)?;
        self.begun = true;
        self.broken = false;
        self.text.push_str("= ready\n");
        for left in left {
            self.text
                .push_str(&format!("leak {}\n", show::one_line(&left)));
        }
        self.parts()
    }

    fn perform(&mut self, line: &str) -> Result<(), String> {
        let operation = trace::single(line)?;
        let outcome = (self.target.perform(&operation)).map_err(|error| error.problem)?;
        self.broken = matches!(outcome, Outcome::Crash(_));
        // Bytes that do not fit in a line were only looked at.
        let outcome = match &outcome {
            Outcome::Ok(Value::Bytes(bytes)) if 2 * bytes.len() + 16 > LINE_LIMIT => {
                Outcome::Unsupported
            }
            _ => outcome,
        };
        show::outcome(&mut self.text, &outcome);
        if self.target.injected_failure() {
            self.text.push_str("failed\n");
        }
        self.parts()
    }

    /// Adds what is to be seen and was not shown so.
    fn parts(&mut self) -> Result<(), String> {
        (self.target.observe(&mut self.now)).map_err(|error| error.problem)?;
        let sight = self.target.sight();
        show::parts(&mut self.text, sight, self.shown.as_ref(), &self.now);
        let shown = self.shown.get_or_insert_default();
        std::mem::swap(shown, &mut self.now);
        Ok(())
    }

    /// `memory ADDRESS LENGTH`, `file NUMBER OFFSET LENGTH`.
    fn show(&mut self, rest: &str) -> Result<(), String> {
        let words: Vec<&str> = rest.split(' ').collect();
        let buffer = |length: &str| {
            let length = number(length)?;
            match usize::try_from(length) {
                Ok(bytes) if bytes <= LINE_LIMIT / 2 - 16 => Ok(vec![0; bytes]),
                _ => Err(format!("found {length} bytes, expected fewer")),
            }
        };
        let (is_shown, bytes) = match words.as_slice() {
            ["memory", address, length] => {
                let mut bytes = buffer(length)?;
                (self.target.memory(number(address)?, &mut bytes), bytes)
            }
            ["file", file, offset, length] => {
                let mut bytes = buffer(length)?;
                let Ok(file) = file.parse() else {
                    let found = shorten(file);
                    return Err(format!("found `{found}`, expected a file's number"));
                };
                (self.target.file(file, number(offset)?, &mut bytes), bytes)
            }
            _ => {
                let found = shorten(rest);
                return Err(format!(
                    "found `show {found}`, expected `show memory ADDRESS LENGTH` or \
                     `show file NUMBER OFFSET LENGTH`"
                ));
            }
        };
        match is_shown {
            true => show::bytes(&mut self.text, &bytes),
            false => show::outcome(&mut self.text, &Outcome::Unsupported),
        }
        Ok(())
    }

    fn fail(&mut self, n: &str) -> Result<(), String> {
        let outcome = match self.target.fail_allocation(number(n)?) {
            true => Outcome::Ok(Value::Done),
            false => Outcome::Unsupported,
        };
        show::outcome(&mut self.text, &outcome);
        Ok(())
    }
}

/// `page=N [pages=N start=N] trim=N uninitialized=yes|no processes=N`.
fn config(settings: &str) -> Result<Config, String> {
    const EXPECTED: &str =
        "`reset page=N [pages=N start=N] trim=N uninitialized=yes|no processes=N`";
    let refused = || format!("found `reset {}`, expected {EXPECTED}", shorten(settings));
    let mut known = [
        ("page", None),
        ("pages", None),
        ("start", None),
        ("trim", None),
        ("uninitialized", None),
        ("processes", None),
    ];
    for word in settings.split(' ') {
        let (key, value) = word.split_once('=').ok_or_else(refused)?;
        let place = known.iter_mut().find(|(name, _)| *name == key);
        match place {
            Some((_, place)) if place.is_none() => *place = Some(value),
            _ => return Err(refused()),
        }
    }
    let [page, pages, start, trim, uninitialized, processes] = known.map(|(_, value)| value);
    let (Some(page), Some(trim), Some(uninitialized), Some(processes)) =
        (page, trim, uninitialized, processes)
    else {
        return Err(refused());
    };
    let mut header = Header {
        page_size: number(page)?,
        trim: number(trim)?,
        uninitialized: match uninitialized {
            "yes" => true,
            "no" => false,
            _ => return Err(refused()),
        },
        processes: processes.parse().map_err(|_| refused())?,
        ..Header::default()
    };
    let mut window = None;
    if let (Some(pages), Some(start)) = (pages, start) {
        header.pages = number(pages)?;
        window = Some(Window {
            start: number(start)?,
            pages: header.pages,
        });
    } else if pages.is_some() || start.is_some() {
        return Err(refused());
    }
    match header.problem() {
        Some(problem) => Err(problem),
        None => {
            let config = header.config(Vec::new());
            let window = window.or(config.window);
            Ok(Config { window, ..config })
        }
    }
}
