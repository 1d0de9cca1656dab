//! Whether a scope can be counted at all.

use super::Scope;

/// States that are more than a machine can hold.
const COUNTABLE: f64 = 1e10;

impl Scope {
    /// An estimate of how many states there are at least, said when they are too many: every
    /// page that is free, or the beginning or the rest of a mapping, and what is stored in it.
    pub fn too_large_to_count(&self) -> Option<String> {
        if self.depth.is_some() {
            return None;
        }
        let mappable = !self.mmap.is_empty() || self.segments.is_some();
        // Half of the pages in use, each by one of those that can be told apart, is usual.
        let most = self.header.pages.min(self.most.mappings as u64 * 2);
        let kinds = match mappable {
            true => 2.0,
            false => 1.0,
        };
        let contents = 1.0 + self.access.store.len() as f64 / 2.0;
        let states = (kinds * contents).powf(most as f64)
            * f64::from(self.header.processes).powf(self.most.mappings as f64 / 2.0)
            * (1.0 + self.trim.len() as f64 / 2.0);
        (states > COUNTABLE).then(|| {
            format!(
                "about {states:.0e} states are more than can be visited; \
                 `depth` or `--depth` and `--memory-limit` bound the search"
            )
        })
    }
}
