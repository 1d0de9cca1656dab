//! Reading the arguments of a call, whichever call it is.

use super::cursor::{Mismatch, Token};
use super::names::{Bound, Sort};
use super::operation::{Parsed, Reader};
use super::parse::one_of;
use nommu_model::op::{
    Address, Descriptor, Fill, MapFlags, MappingName, OpenFlags, Path, Process, Protection,
    SegmentName,
};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of one component of a path at most.
const COMPONENT_LIMIT: usize = 64;

impl Reader<'_, '_> {
    pub(super) fn bind(&mut self, result: &Bound) -> Parsed<()> {
        if self.names.of(result.sort).insert(result.number) || self.names.any {
            return Ok(());
        }
        let letter = result.sort.letter();
        Err(Mismatch {
            span: result.span.clone(),
            found: format!("`{letter}{}`, which is bound already", result.number),
            expected: "a new name".into(),
            help: self.free_name(result.sort),
        })
    }

    /// That a name is bound, when it is used.
    pub(super) fn bound(&mut self, number: u16, sort: Sort, span: Range<usize>) -> Parsed<()> {
        if self.names.any || self.names.of(sort).contains(&number) {
            return Ok(());
        }
        Err(Mismatch {
            span,
            found: format!("`{}{number}`, which nothing has bound", sort.letter()),
            expected: "a name that an earlier operation binds".into(),
            help: (sort == Sort::Process)
                .then(|| "`processes=` in the header says how many exist at the start".into()),
        })
    }

    pub(super) fn free_name(&mut self, sort: Sort) -> Option<String> {
        let next = match self.names.of(sort).last() {
            Some(last) => last.checked_add(1)?,
            None => 0,
        };
        Some(format!("`{}{next}` is free", sort.letter()))
    }

    /// The flags of mmap, and whether `anonymous` is one of them.
    pub(super) fn map_flags(&mut self) -> Parsed<(MapFlags, bool)> {
        let words = [
            ("shared", Some(MapFlags::SHARED)),
            ("private", Some(MapFlags::PRIVATE)),
            ("fixed", Some(MapFlags::FIXED)),
            ("uninitialized", Some(MapFlags::UNINITIALIZED)),
            ("none", Some(MapFlags::empty())),
            ("anonymous", None),
            ("anon", None),
        ];
        let mut flags = MapFlags::empty();
        let mut is_anonymous = false;
        for flag in self.alternatives(&words)? {
            match flag {
                Some(flag) => flags |= flag,
                None => is_anonymous = true,
            }
        }
        Ok((flags, is_anonymous))
    }

    pub(super) fn protection(&mut self) -> Parsed<Protection> {
        let mismatch = self
            .cursor
            .mismatch("`none` or letters of `rwx`, each at most once");
        let (word, _) = self.cursor.word(&mismatch.expected)?;
        if word == "none" {
            return Ok(Protection::empty());
        }
        let mut protection = Protection::empty();
        for letter in word.chars() {
            let bit = match letter {
                'r' => Protection::READ,
                'w' => Protection::WRITE,
                'x' => Protection::EXEC,
                _ => return Err(mismatch),
            };
            if protection.contains(bit) {
                return Err(mismatch);
            }
            protection |= bit;
        }
        Ok(protection)
    }

    pub(super) fn open_flags(&mut self) -> Parsed<OpenFlags> {
        self.cursor.mark(',')?;
        let words = [
            ("r", OpenFlags::READ),
            ("w", OpenFlags::WRITE),
            ("rw", OpenFlags::READ.union(OpenFlags::WRITE)),
            ("create", OpenFlags::CREATE),
            ("truncate", OpenFlags::TRUNCATE),
        ];
        let mut flags = OpenFlags::empty();
        for flag in self.alternatives(&words)? {
            flags |= flag;
        }
        if flags.intersects(OpenFlags::READ | OpenFlags::WRITE) {
            Ok(flags)
        } else {
            Err(self.cursor.mismatch(one_of(&["|r", "|w", "|rw"])))
        }
    }

    /// `a|b|c`, each a choice of its own, each at most once.
    pub(super) fn alternatives<T: Copy>(&mut self, choices: &[(&str, T)]) -> Parsed<Vec<T>> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let mut seen: Vec<&str> = Vec::new();
        let mut chosen = Vec::new();
        loop {
            let mismatch = self.cursor.mismatch(one_of(&words));
            let (word, span) = self.cursor.word(&mismatch.expected)?;
            let (_, choice) = choices
                .iter()
                .find(|(known, _)| *known == word)
                .ok_or(mismatch)?;
            if seen.contains(&word) {
                return Err(once(word, span));
            }
            seen.push(word);
            chosen.push(*choice);
            if !self.cursor.accept('|') {
                return Ok(chosen);
            }
        }
    }

    /// `, word` if there is more.
    pub(super) fn option(&mut self, word: &str) -> Parsed<bool> {
        if !self.cursor.accept(',') {
            return Ok(false);
        }
        if *self.cursor.peek() != Token::Word(word) {
            return Err(self.cursor.mismatch(format!("`{word}`")));
        }
        self.cursor.take();
        Ok(true)
    }

    pub(super) fn key(&mut self, key: &str) -> Parsed<()> {
        if *self.cursor.peek() != Token::Word(key) {
            return Err(self.cursor.mismatch(format!("`{key}=`")));
        }
        self.cursor.take();
        self.cursor.mark('=')
    }

    pub(super) fn keyed(&mut self, key: &str, expected: &str) -> Parsed<u64> {
        self.key(key)?;
        self.cursor.number(expected, u64::MAX)
    }

    pub(super) fn then_keyed(&mut self, key: &str, expected: &str) -> Parsed<u64> {
        self.cursor.mark(',')?;
        self.keyed(key, expected)
    }

    pub(super) fn then_length(&mut self) -> Parsed<u64> {
        self.cursor.mark(',')?;
        self.cursor.number("a number of bytes", u64::MAX)
    }

    pub(super) fn then_word(&mut self, expected: &str) -> Parsed<u32> {
        self.cursor.mark(',')?;
        self.small_number(expected)
    }

    pub(super) fn small_number(&mut self, expected: &str) -> Parsed<u32> {
        let value = self.cursor.number(expected, u64::from(u32::MAX))?;
        Ok(u32::try_from(value).expect("it was limited"))
    }

    pub(super) fn range(&mut self) -> Parsed<(Address, u64)> {
        let address = self.address()?;
        let length = self.then_length()?;
        Ok((address, length))
    }

    /// `m3+0x10` or `0x1234`.
    pub(super) fn address(&mut self) -> Parsed<Address> {
        let expected = "an address such as `m0+0x1000` or `0x1000`";
        match *self.cursor.peek() {
            Token::Number(_) => {
                let address = self.cursor.number(expected, u64::MAX)?;
                Ok(Address::Absolute(address))
            }
            Token::Word(word) if Sort::Mapping.number(word).is_some() => {
                let (number, span) = self.name(Sort::Mapping)?;
                self.bound(number, Sort::Mapping, span)?;
                Ok(Address::Of(MappingName(number), self.displacement()?))
            }
            _ => Err(self.cursor.mismatch(expected)),
        }
    }

    /// What follows the name of a mapping in an address.
    pub(super) fn displacement(&mut self) -> Parsed<i64> {
        let expected = "a number of bytes";
        if self.cursor.accept('+') {
            let bytes = self.cursor.number(expected, i64::MAX.unsigned_abs())?;
            Ok(0i64.wrapping_add_unsigned(bytes))
        } else if self.cursor.accept('-') {
            let bytes = self.cursor.number(expected, i64::MIN.unsigned_abs())?;
            Ok(0i64.wrapping_sub_unsigned(bytes))
        } else {
            Ok(0)
        }
    }

    /// `, "A"*16`.
    pub(super) fn then_fill(&mut self) -> Parsed<Fill> {
        self.cursor.mark(',')?;
        let mismatch = self
            .cursor
            .mismatch("one quoted byte and how often, as in `\"A\"*16`")
            .help("a byte that is no printable character is written `\"\\x00\"`");
        let Token::Text(text) = *self.cursor.peek() else {
            return Err(mismatch);
        };
        let byte = unescape(text).ok_or(mismatch)?;
        self.cursor.take();
        let count = if self.cursor.accept('*') {
            self.cursor.number("a number of bytes", u64::MAX)?
        } else {
            1
        };
        Ok(Fill { byte, count })
    }

    pub(super) fn path(&mut self) -> Parsed<Path> {
        let mismatch = self.cursor.mismatch("a quoted path such as `\"/ram/a\"`");
        let Token::Text(text) = *self.cursor.peek() else {
            return Err(mismatch);
        };
        if !is_path(text) {
            return Err(mismatch
                .help("`/directory` or `/directory/name`, of letters, digits, `.`, `_` and `-`"));
        }
        self.cursor.take();
        Ok(Path(Arc::from(text)))
    }

    pub(super) fn process(&mut self) -> Parsed<Process> {
        let (number, span) = self.name(Sort::Process)?;
        self.bound(number, Sort::Process, span)?;
        Ok(Process(number))
    }

    pub(super) fn descriptor(&mut self) -> Parsed<Descriptor> {
        let (number, span) = self.name(Sort::Descriptor)?;
        self.bound(number, Sort::Descriptor, span)?;
        Ok(Descriptor(number))
    }

    pub(super) fn segment(&mut self) -> Parsed<SegmentName> {
        let (number, span) = self.name(Sort::Segment)?;
        self.bound(number, Sort::Segment, span)?;
        Ok(SegmentName(number))
    }

    /// A name of a sort, bound or not.
    pub(super) fn name(&mut self, sort: Sort) -> Parsed<(u16, Range<usize>)> {
        let mismatch = self.cursor.mismatch(sort.expected());
        let (word, span) = self.cursor.word(&mismatch.expected)?;
        let number = sort.number(word).ok_or(mismatch)?;
        Ok((number, span))
    }
}

/// That a word is there again.
pub(super) fn once(word: &str, span: Range<usize>) -> Mismatch {
    Mismatch {
        span,
        found: format!("`{word}` a second time"),
        expected: "it at most once".into(),
        help: None,
    }
}

/// The one byte that a quoted text stands for.
fn unescape(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte @ (b' '..=b'[' | b']'..=b'~')] => Some(*byte),
        [b'\\', byte @ (b'\\' | b'"')] => Some(*byte),
        [b'\\', b'n'] => Some(b'\n'),
        [b'\\', b't'] => Some(b'\t'),
        [b'\\', b'0'] => Some(0),
        [b'\\', b'x', digits @ ..] if digits.len() == 2 => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
        }
        _ => None,
    }
}

/// Whether a text is `/directory` or `/directory/name`.
pub(crate) fn is_path(text: &str) -> bool {
    let Some(components) = text.strip_prefix('/') else {
        return false;
    };
    let is_component = |component: &str| {
        (1..=COMPONENT_LIMIT).contains(&component.len())
            && component != "."
            && component != ".."
            && component
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    components.split('/').count() <= 2 && components.split('/').all(is_component)
}
