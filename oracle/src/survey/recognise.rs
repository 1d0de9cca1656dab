//! Which known deviation a divergence is.

use super::{Key, Surveyor};
use crate::known::by_answer;
use crate::lockstep::Divergence;
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use nommu_model::op::Operation;
use std::collections::BTreeMap;

/// A deviation that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it is called.
    pub id: String,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// Traces that show it.
    pub traces: Vec<Trace>,
}

/// How a known deviation shows itself.
#[derive(Clone)]
pub(super) struct Shown {
    pub id: String,
    pub trace: Trace,
    pub divergence: Divergence,
    pub leaks: bool,
    /// Whether the model can accept it.
    pub is_accepted: bool,
}

impl<T: Target> Surveyor<'_, T> {
    /// The deviations that a divergence is known as: one with which the model accepts it, one
    /// whose own trace shows the same, or those that say of the operation that it is answered so.
    pub(super) fn known_as(
        &mut self,
        header: &Header,
        operations: &[Operation],
        divergence: &Divergence,
        key: &Key,
    ) -> Result<Vec<String>, TargetError> {
        let broken: Vec<&str> = (divergence.rules.iter())
            .map(|rule| rule.id.as_str())
            .collect();
        // Those that break one of its rules will do, or else what an answer is after one of them.
        let concerned = |known: &&Known| known.rules.iter().any(|rule| broken.contains(&&**rule));
        let ids = |known: &Known| known.id.clone();
        let few: Vec<String> = self.known.iter().filter(concerned).map(ids).collect();
        let all: Vec<String> = self.known.iter().map(ids).collect();
        if !few.is_empty() {
            for tried in [few, all] {
                if let Some(taken) = self.accepting(header, operations, tried)? {
                    self.accepted.extend(taken.iter().cloned());
                    return Ok(taken);
                }
            }
        }
        let last = divergence.step.and(operations.last());
        Ok(match (self.shown(key)?, last) {
            (Some(shown), _) => vec![shown.id],
            (None, Some(operation)) => {
                by_answer(self.lockstep.target().name(), divergence, operation)
            }
            (None, None) => Vec::new(),
        })
    }

    /// Those of some deviations that it takes for the model to accept operations; none where they
    /// are not enough.
    fn accepting(
        &mut self,
        header: &Header,
        operations: &[Operation],
        mut deviations: Vec<String>,
    ) -> Result<Option<Vec<String>>, TargetError> {
        deviations.retain(|id| !self.accepted.contains(id));
        if deviations.is_empty() || !self.accepts(header, operations, &deviations)? {
            return Ok(None);
        }
        for place in (0..deviations.len()).rev() {
            let mut fewer = deviations.clone();
            fewer.remove(place);
            if !fewer.is_empty() && self.accepts(header, operations, &fewer)? {
                deviations = fewer;
            }
        }
        Ok(Some(deviations))
    }

    fn accepts(
        &mut self,
        header: &Header,
        operations: &[Operation],
        more: &[String],
    ) -> Result<bool, TargetError> {
        let accepted = [&self.accepted, more].concat();
        let config = header.config(accepted);
        Ok(self.diverges(&config, operations)?.is_none())
    }

    /// The known deviation that shows itself so.
    pub(super) fn shown(&mut self, key: &Key) -> Result<Option<Shown>, TargetError> {
        if self.known_keys.is_none() {
            let keys = self.look_up_known()?;
            self.lockstep.take_tally();
            self.known_keys = Some(keys);
        }
        let keys = self.known_keys.as_ref();
        Ok(keys.and_then(|keys| keys.get(key).cloned()))
    }

    /// How the traces of known deviations diverge on this target.
    fn look_up_known(&mut self) -> Result<BTreeMap<Key, Shown>, TargetError> {
        let mut keys = BTreeMap::new();
        let known = self.known;
        let traces =
            (known.iter()).flat_map(|known| known.traces.iter().map(|trace| (&known.id, trace)));
        for (id, trace) in traces {
            let operations: Vec<Operation> = trace.operations().cloned().collect();
            let config = trace.header.config(self.plan.deviations.clone());
            let Some(mut divergence) = self.diverges(&config, &operations)? else {
                continue;
            };
            let performed = divergence.step.map_or(operations.len(), |step| step + 1);
            let key = self.key(&operations[..performed], &divergence);
            let leaks = self.leaks(&mut divergence)?;
            let is_accepted = self.accepts(&trace.header, &operations, std::slice::from_ref(id))?;
            keys.entry(key).or_insert_with(|| Shown {
                id: id.clone(),
                trace: trace.clone(),
                divergence,
                leaks,
                is_accepted,
            });
        }
        Ok(keys)
    }
}
