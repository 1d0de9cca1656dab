//! Reading the script of a driver.

use super::arguments::once;
use super::cursor::Token;
use super::operation::{Parsed, Reader};
use super::parse::one_of;
use nommu_model::op::{Answer, Capabilities, Operation, Script};
use nommu_model::outcome::Errno;

/// Devices whose driver takes a script.
const SCRIPTED: &[&str] = &["/dev/chr0", "/dev/chr1", "/dev/mtd0"];

impl Reader<'_, '_> {
    pub(super) fn driver(&mut self) -> Parsed<Operation> {
        self.cursor.take();
        let mismatch =
            self.cursor
                .mismatch(one_of(&["\"/dev/chr0\"", "\"/dev/chr1\"", "\"/dev/mtd0\""]));
        let path = match self.path() {
            Ok(path) if SCRIPTED.contains(&&*path.0) => path,
            _ => return Err(mismatch),
        };
        let mut script = Script::default();
        while *self.cursor.peek() != Token::End {
            self.script_entry(&mut script)?;
        }
        Ok(Operation::Driver(path, script))
    }

    pub(super) fn script_entry(&mut self, script: &mut Script) -> Parsed<()> {
        let keys = one_of(&["capabilities=", "area=", "mmap=", "read=", "busy="]);
        let mismatch = self.cursor.mismatch(keys);
        let (key, span) = self.cursor.word(&mismatch.expected)?;
        self.cursor.mark('=')?;
        let is_first = match key {
            "capabilities" => {
                let value = self.capabilities()?;
                script.capabilities.replace(value).is_none()
            }
            "area" => {
                let value = self.answer(true)?;
                script.area.replace(value).is_none()
            }
            "mmap" => {
                let value = self.answer(false)?;
                script.mmap.replace(value).is_none()
            }
            "read" => {
                let value = self.yes_or_no()?;
                script.read.replace(value).is_none()
            }
            "busy" => {
                let value = self.yes_or_no()?;
                script.busy.replace(value).is_none()
            }
            _ => return Err(mismatch),
        };
        if is_first {
            Ok(())
        } else {
            Err(once(key, span))
        }
    }

    pub(super) fn capabilities(&mut self) -> Parsed<Option<Capabilities>> {
        if *self.cursor.peek() == Token::Word("default") {
            self.cursor.take();
            return Ok(None);
        }
        let words = [
            ("none", Capabilities::empty()),
            ("copy", Capabilities::COPY),
            ("direct", Capabilities::DIRECT),
            ("read", Capabilities::READ),
            ("write", Capabilities::WRITE),
            ("exec", Capabilities::EXEC),
        ];
        let mut set = Capabilities::empty();
        for flag in self.alternatives(&words)? {
            set |= flag;
        }
        Ok(Some(set))
    }

    pub(super) fn answer(&mut self, may_be_absent: bool) -> Parsed<Answer> {
        let expected = if may_be_absent {
            "`ok`, `absent` or an error such as `enosys`"
        } else {
            "`ok` or an error such as `enosys`"
        };
        let mismatch = self.cursor.mismatch(expected);
        let (word, _) = self.cursor.word(expected)?;
        match word {
            "ok" => Ok(Answer::Ok),
            "absent" if may_be_absent => Ok(Answer::Absent),
            _ => Errno::from_name(word).map(Answer::Error).ok_or(mismatch),
        }
    }

    pub(super) fn yes_or_no(&mut self) -> Parsed<bool> {
        let mismatch = self.cursor.mismatch("`yes` or `no`");
        match self.cursor.word(&mismatch.expected)?.0 {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(mismatch),
        }
    }
}
