//! Which known deviation a divergence is.

use super::{Key, Standing, Surveyor};
use crate::known::by_answer;
use crate::lockstep::{Divergence, Lockstep, Stop};
use crate::specs::specs;
use crate::target::recorded::Recorded;
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use nommu_model::op::Operation;
use nommu_model::world::config::Config;
use std::collections::BTreeMap;

/// A deviation that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it is called.
    pub id: String,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// Traces that show it.
    pub traces: Vec<Filed>,
}

/// A trace of a known deviation.
#[derive(Clone, Debug)]
pub struct Filed {
    /// The trace.
    pub trace: Trace,
    /// What the target once answered to it, if that is on record.
    pub record: Option<String>,
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
    /// How a divergence that its trace leads to, with so many of the accepted deviations, stands to
    /// what is known.
    pub(super) fn standing_of(
        &mut self,
        header: &Header,
        operations: &[Operation],
        divergence: &Divergence,
        key: &Key,
        accepted: usize,
    ) -> Result<Standing, TargetError> {
        let known = self.known_as(header, operations, divergence, key)?;
        if !known.is_empty() {
            return Ok(Standing::Known(known));
        }
        let needed = self.needs(header, operations, divergence, accepted)?;
        Ok(match needed.is_empty() {
            true => Standing::New,
            false => Standing::Follows(needed),
        })
    }

    /// The deviations that a divergence is known as: one with which the model accepts it, one
    /// whose own trace shows the same, or those that say of the operation that it is answered so.
    fn known_as(
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
        Ok(match self.shown(key)? {
            Some(shown) => vec![shown.id],
            None => by_answer(self.lockstep.target().name(), divergence, &key.shape),
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
        let accepts = |own: &mut Self, fewer: &[String]| own.accepts(header, operations, fewer);
        self.fewest(deviations, accepts).map(Some)
    }

    /// Some of these deviations that do, none of which can be left out; one at least.
    pub(super) fn fewest(
        &mut self,
        mut deviations: Vec<String>,
        do_so: impl Fn(&mut Self, &[String]) -> Result<bool, TargetError>,
    ) -> Result<Vec<String>, TargetError> {
        for place in (0..deviations.len()).rev() {
            let mut fewer = deviations.clone();
            fewer.remove(place);
            if !fewer.is_empty() && do_so(self, &fewer)? {
                deviations = fewer;
            }
        }
        Ok(deviations)
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
        let known = self.known;
        let place = self.known_keys.as_ref().and_then(|keys| keys.get(key));
        let Some(&(deviation, trace)) = place else {
            return Ok(None);
        };
        let Known { id, traces, .. } = &known[deviation];
        let filed = &traces[trace];
        let operations: Vec<Operation> = filed.trace.operations().cloned().collect();
        let config = self.config_of(&filed.trace);
        let Some(mut divergence) = self.diverges(&config, &operations)? else {
            return Ok(None);
        };
        let leaks = self.leaks(&mut divergence)?;
        let header = &filed.trace.header;
        let is_accepted = self.accepts(header, &operations, std::slice::from_ref(id))?;
        self.lockstep.take_tally();
        Ok(Some(Shown {
            id: id.clone(),
            trace: filed.trace.clone(),
            divergence,
            leaks,
            is_accepted,
        }))
    }

    /// How the traces of known deviations diverge on this target, each by its deviation's place and
    /// its own: as it is on record, or else as it is now.
    fn look_up_known(&mut self) -> Result<BTreeMap<Key, (usize, usize)>, TargetError> {
        let mut keys = BTreeMap::new();
        for (deviation, known) in self.known.iter().enumerate() {
            for (place, filed) in known.traces.iter().enumerate() {
                let operations: Vec<Operation> = filed.trace.operations().cloned().collect();
                let config = self.config_of(&filed.trace);
                let key = match &filed.record {
                    Some(record) => {
                        let target = Recorded::new(self.lockstep.target().name(), record);
                        key(&mut Lockstep::new(target), &config, &operations)?
                    }
                    None => key(&mut self.lockstep, &config, &operations)?,
                };
                if let Some(key) = key {
                    keys.entry(key).or_insert((deviation, place));
                }
            }
        }
        Ok(keys)
    }

    /// The system that a filed trace is about: some show themselves only after others.
    fn config_of(&self, trace: &Trace) -> Config {
        let mut accepted = specs().profile(&trace.header.profile).unwrap_or_default();
        accepted.extend(self.plan.deviations.iter().cloned());
        trace.header.config(accepted)
    }
}

/// The key of the divergence that operations lead to, if they do.
fn key<T: Target>(
    lockstep: &mut Lockstep<T>,
    config: &Config,
    operations: &[Operation],
) -> Result<Option<Key>, TargetError> {
    let mut result = lockstep.reset(config);
    let mut last = None;
    for operation in operations {
        if result.is_ok() {
            last = Some(operation);
        }
        result = result.and_then(|()| lockstep.step(operation).map(|_| ()));
    }
    match result {
        Ok(()) => Ok(None),
        Err(Stop::Target(error)) => Err(error),
        Err(Stop::Diverged(divergence)) => {
            let last = divergence.step.and(last);
            Ok(Some(Key::new(&divergence, lockstep.world_before(), last)))
        }
    }
}
