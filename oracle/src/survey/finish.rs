//! What is left to do at the end of a survey.

use super::{Standing, Surveyor};
use crate::minimise::Proof;
use crate::target::{Target, TargetError};
use nommu_model::op::Operation;

/// What making a trace plain may cost in the end, in runs.
const RUNS: u64 = 2000;

impl<T: Target> Surveyor<'_, T> {
    /// Makes plain what was left before it was, as long as there is time. What turns out to be the
    /// same then is one class.
    pub(super) fn finish(&mut self) -> Result<(), TargetError> {
        for place in 0..self.report.classes.len() {
            if self.end.is_here() {
                break;
            }
            if self.report.classes[place].length == Proof::Partial
                && let Some(same) = self.finish_class(place)?
            {
                self.join(place, same);
            }
            self.lockstep.take_tally();
        }
        Ok(())
    }

    /// Makes the trace of a class plain. Another class that it belongs to then.
    fn finish_class(&mut self, place: usize) -> Result<Option<usize>, TargetError> {
        let class = &self.report.classes[place];
        let (trace, accepted) = (class.trace.clone(), class.accepted);
        let seen = class.divergence.clone();
        let plain = self.plain(&trace, &seen, accepted, RUNS)?;
        // One that only shows along others is as plain as it was made.
        let Some((trace, length, mut divergence)) = plain else {
            return Ok(None);
        };
        let operations: Vec<Operation> = trace.operations().cloned().collect();
        let config = (trace.header).config(self.accepted[..accepted].to_vec());
        let Some(found) = self.diverges(&config, &operations)? else {
            return Ok(None);
        };
        let key = self.key(&operations, &found);
        let leaks = self.leaks(&mut divergence)?;
        if let Some(&other) = self.keys.get(&key)
            && other != place
            && !self.is_fleeting(other)
            && self.report.classes[other].same_as.is_none()
        {
            return Ok(Some(other));
        }
        let mut standing = self.report.classes[place].standing.clone();
        if !matches!(standing, Standing::Known(_)) {
            standing = self.standing_of(&trace.header, &operations, &divergence, &key, accepted)?;
        }
        self.learn(key, place);
        let class = &mut self.report.classes[place];
        class.standing = standing;
        class.trace = trace;
        class.length = length;
        class.divergence = divergence;
        class.leaks = leaks;
        Ok(None)
    }
}
