//! Words, numbers and marks of one line.

use std::ops::Range;

/// One piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `mmap`, `p0`, `vm.nr_trim_pages`.
    Word(&'a str),
    /// `12`, `0x1000`, or what begins like a number.
    Number(&'a str),
    /// `"/ram/a"`, without its quotes, escapes as written.
    Text(&'a str),
    /// A quote that nothing closes.
    Unclosed(&'a str),
    /// `(`, `)`, `,`, `=`, `|`, `*`, `+`, `-`, or a character that nothing uses.
    Mark(char),
    /// The end of the line or the beginning of a comment.
    End,
}

impl Token<'_> {
    /// As a message names it.
    pub fn describe(&self) -> String {
        match self {
            Token::Word(text) | Token::Number(text) => format!("`{text}`"),
            Token::Text(text) => format!("`\"{text}\"`"),
            Token::Unclosed(_) => "a quote that is not closed".into(),
            Token::Mark(mark) if mark.is_control() => format!("`{}`", mark.escape_default()),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end of the operation".into(),
        }
    }
}

/// What was found where something else was expected.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Where in the line, in bytes.
    pub span: Range<usize>,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
    /// What may help.
    pub help: Option<String>,
}

impl Mismatch {
    /// Adds what may help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A place in a line.
#[derive(Clone)]
pub struct Cursor<'a> {
    line: &'a str,
    /// The token at the place.
    token: Token<'a>,
    /// Where it is.
    span: Range<usize>,
}

impl<'a> Cursor<'a> {
    /// The line's beginning.
    pub fn new(line: &'a str) -> Self {
        let mut cursor = Self {
            line,
            token: Token::End,
            span: 0..0,
        };
        cursor.advance();
        cursor
    }

    /// The token at the place.
    pub fn peek(&self) -> &Token<'a> {
        &self.token
    }

    /// Where the token is, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is left of the line, from the token on.
    pub fn rest(&self) -> &'a str {
        &self.line[self.span.start..]
    }

    /// Takes the token.
    pub fn take(&mut self) -> (Token<'a>, Range<usize>) {
        let token = self.token.clone();
        let span = self.span.clone();
        self.advance();
        (token, span)
    }

    /// Takes a mark if it is next.
    pub fn accept(&mut self, mark: char) -> bool {
        let is_next = self.token == Token::Mark(mark);
        if is_next {
            self.advance();
        }
        is_next
    }

    /// Takes a mark that must be next.
    pub fn mark(&mut self, mark: char) -> Result<(), Mismatch> {
        if self.accept(mark) {
            Ok(())
        } else {
            Err(self.mismatch(format!("`{mark}`")))
        }
    }

    /// Takes a word that must be next.
    pub fn word(&mut self, expected: &str) -> Result<(&'a str, Range<usize>), Mismatch> {
        match self.token {
            Token::Word(word) => {
                let span = self.span();
                self.advance();
                Ok((word, span))
            }
            _ => Err(self.mismatch(expected)),
        }
    }

    /// Takes a number that must be next, decimal or hexadecimal.
    pub fn number(&mut self, expected: &str, limit: u64) -> Result<u64, Mismatch> {
        let Token::Number(text) = self.token else {
            return Err(self.mismatch(expected));
        };
        match number(text) {
            Some(value) if value <= limit => {
                self.advance();
                Ok(value)
            }
            _ => Err(self.mismatch(format!("{expected} from 0 to {limit:#x}"))),
        }
    }

    /// That something else was expected here.
    pub fn mismatch(&self, expected: impl Into<String>) -> Mismatch {
        Mismatch {
            span: self.span(),
            found: self.token.describe(),
            expected: expected.into(),
            help: None,
        }
    }

    fn advance(&mut self) {
        let from = self.span.end;
        let rest = &self.line[from..];
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let start = from + rest.len() - trimmed.len();
        let (token, length) = scan(trimmed);
        self.token = token;
        self.span = start..start + length;
    }
}

/// The first token of a text, and its bytes.
fn scan(text: &str) -> (Token<'_>, usize) {
    let Some(first) = text.chars().next() else {
        return (Token::End, 0);
    };
    match first {
        '#' => (Token::End, 0),
        '"' => quoted(text),
        'a'..='z' | 'A'..='Z' | '_' => {
            let length = run(text, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            (Token::Word(&text[..length]), length)
        }
        '0'..='9' => {
            let length = run(text, |c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Number(&text[..length]), length)
        }
        other => (Token::Mark(other), other.len_utf8()),
    }
}

/// Bytes of the text's beginning whose characters all satisfy `belongs`.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A token that begins with a quote.
fn quoted(text: &str) -> (Token<'_>, usize) {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (Token::Text(&text[1..index]), index + 1),
            _ => {}
        }
    }
    (Token::Unclosed(&text[1..]), text.len())
}

/// A decimal or hexadecimal number that fits in 64 bits.
pub fn number(text: &str) -> Option<u64> {
    let digits = |text: &str, radix: u32| {
        (text.bytes().all(|byte| char::from(byte).is_digit(radix)))
            .then(|| u64::from_str_radix(text, radix).ok())
            .flatten()
    };
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hexadecimal) => digits(hexadecimal, 16),
        None => digits(text, 10),
    }
}
