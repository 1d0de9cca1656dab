//! Which errors an operation owes.

use super::{Answer, Refusal, RuleId, describe};
use crate::outcome::{Errno, Outcome, Value};

/// A set of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Errnos(u64);

impl Errnos {
    /// These.
    pub(super) const fn of(errnos: &[Errno]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < errnos.len() {
            bits |= 1 << errnos[index] as u32;
            index += 1;
        }
        Self(bits)
    }

    /// Whether it has this one.
    pub(super) fn contains(self, errno: Errno) -> bool {
        self.0 & (1 << errno as u32) != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn list(self, reason: &str, into: &mut Vec<String>) {
        let errnos = Errno::ALL.iter().filter(|&&errno| self.contains(errno));
        into.extend(errnos.map(|errno| match reason {
            "" => errno.to_string(),
            reason => format!("{errno} ({reason})"),
        }));
    }
}

/// The errors that an operation owes, each with the rule that demands it.
///
/// Where several are due, any of them will do: the document orders none of its checks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    reasons: [(&'static str, Errnos); 6],
    count: usize,
    allowed: Errnos,
    tolerated: Errnos,
}

impl Due {
    /// One of these errors is due.
    pub(super) fn must(&mut self, rule: &'static str, errnos: &[Errno]) {
        let errnos = Errnos::of(errnos);
        self.allowed = self.allowed.with(errnos);
        // More reasons than this say nothing more to a reader; their errors still count.
        if let Some(reason) = self.reasons.get_mut(self.count) {
            *reason = (rule, errnos);
            self.count += 1;
        }
    }

    /// One of these errors is due if a condition holds.
    pub(super) fn must_if(&mut self, condition: bool, rule: &'static str, errnos: &[Errno]) {
        if condition {
            self.must(rule, errnos);
        }
    }

    /// These errors are allowed, and so is success.
    pub(super) fn may(&mut self, errnos: &[Errno]) {
        self.tolerated = self.tolerated.with(Errnos::of(errnos));
    }

    /// What was due is allowed only, as there is a way to succeed after all.
    pub(super) fn soften(&mut self) {
        self.tolerated = self.tolerated.with(self.allowed);
        self.allowed = Errnos::default();
        self.count = 0;
    }

    /// Whether the operation has to fail.
    pub(super) fn is_required(&self) -> bool {
        self.count > 0
    }

    /// What the operation answered, if it was a success; none when it failed as it should.
    /// `otherwise` is the rule that is broken by failing where success is due.
    pub(super) fn judge<'a>(
        &self,
        answer: &Answer<'a>,
        otherwise: &'static str,
    ) -> Result<Option<&'a Value>, Refusal> {
        match answer.outcome {
            Outcome::Error(errno) => {
                if self.allowed.contains(*errno) || self.tolerated.contains(*errno) {
                    return Ok(None);
                }
                let rule = match errno {
                    Errno::ENOMEM => "out-of-memory-justified",
                    _ => otherwise,
                };
                Err(self.refusal(answer, rule))
            }
            Outcome::Ok(value) if !self.is_required() => Ok(Some(value)),
            Outcome::Ok(_) | Outcome::Crash(_) | Outcome::Unsupported => {
                Err(self.refusal(answer, otherwise))
            }
        }
    }

    /// The refusal of an answer that is neither due nor allowed.
    pub(super) fn refusal(&self, answer: &Answer<'_>, otherwise: &'static str) -> Refusal {
        let mut rules: Vec<RuleId> = Vec::new();
        let mut allowed = Vec::new();
        if !self.is_required() {
            rules.push(RuleId(otherwise));
            allowed.push("success".to_owned());
        }
        for (rule, errnos) in &self.reasons[..self.count] {
            if !rules.contains(&RuleId(rule)) {
                rules.push(RuleId(rule));
            }
            errnos.list(rule, &mut allowed);
        }
        self.tolerated.list("", &mut allowed);
        Refusal {
            rules,
            expected: format!("allowed are only: {}", allowed.join(", ")),
            seen: describe(answer.outcome),
            about_caller: false,
        }
    }
}
