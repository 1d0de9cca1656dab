//! Exhaustive search: every state that a system can get into, the shortest way first.
//!
//! Campaigns sample; this enumerates. A [`System`] says what follows from what, a [`Search`]
//! visits all of it breadth first, and a [`Report`] says what was found and how much was
//! proved. What is explored is not known here.
//!
//! The search goes by levels, and a level by chunks of parents. A chunk has three phases, each
//! spread over the threads:
//!
//! 1. *expand*: every action of every parent that leads anywhere ([`Moved`]) gives a
//!    fingerprint, which goes into a bucket of the shard that it belongs to, with the parent's
//!    and the action's number;
//! 2. *settle*: every shard takes its buckets in the order of parents and actions, and tells
//!    what is new;
//! 3. *renew*: what is new is made once more and packed into the next level. Most successors
//!    are old, so this is cheaper than keeping states until it is known which are needed. Where
//!    states are large, only links are kept, and a state is made when its turn comes.
//!
//! **Invariant:** the result is a function of the system and the limits. Of all paths to a
//! state, the link that is kept belongs to the least by length and then by the numbers of its
//! actions; neither the number of threads nor the size of chunks changes which one that is.
//!
//! Start reading at [`System`], then [`Search`]. [`toy`] is an example.

pub mod check;
mod checkpoint;
mod expand;
mod fingerprint;
mod frontier;
mod links;
pub mod product;
mod renew;
mod replay;
mod report;
pub mod scope;
mod search;
pub mod shipped;
pub mod summary;
mod system;
#[cfg(test)]
mod tests;
pub mod toy;
mod trail;
mod visited;
mod walk;

pub use checkpoint::CheckpointError;
pub use fingerprint::{FINGERPRINT_BITS, collision_probability};
pub use links::Origin;
pub use product::Broken;
pub use report::{Ending, Found, Progress, Report, Statistics};
pub use search::{Checkpoints, Search};
pub use system::{Moved, Notes, System, Unnoted};
pub use trail::Trail;
