//! Whether two tables offer the same operation. It would be performed twice in each state, which
//! shows nothing more and makes transitions too many.

use super::read::{Place, Read};
use super::text::Text as Tables;
use super::{DriverOffer, MmapOffer, OpenOffer, Scope};
use crate::trace::Text;
use nommu_model::op::Script;
use toml::Spanned;

impl Place<'_> {
    /// Refuses what two tables both have.
    pub(super) fn apart(&self, scope: &Scope, tables: &Tables) -> Read<()> {
        self.each_apart(&scope.mmap, &tables.mmap, mmap_of_both)?;
        self.each_apart(&scope.open, &tables.open, open_of_both)?;
        self.each_apart(&scope.drivers, &tables.driver, driver_of_both)
    }

    fn each_apart<T, U>(
        &self,
        offers: &[T],
        tables: &[Spanned<U>],
        of_both: fn(&T, &T) -> Option<String>,
    ) -> Read<()> {
        for (place, later) in offers.iter().enumerate() {
            let mut earlier = offers[..place].iter();
            if let Some(both) = earlier.find_map(|earlier| of_both(earlier, later)) {
                let span = tables[place].span();
                return Err(self.unexpected(span, &format!("{both} again"), "it in one table"));
            }
        }
        Ok(())
    }
}

/// The first that both lists have.
fn first<'a, T: PartialEq>(one: &'a [T], other: &[T]) -> Option<&'a T> {
    one.iter().find(|value| other.contains(value))
}

fn mmap_of_both(one: &MmapOffer, other: &MmapOffer) -> Option<String> {
    let of = match (&one.paths, &other.paths) {
        _ if one.unnamed && other.unnamed => "a pipe".to_owned(),
        _ if one.foreign && other.foreign => "what another process opened".to_owned(),
        (None, None) if one.is_anonymous() && other.is_anonymous() => "anonymous memory".to_owned(),
        (Some(one), Some(other)) => format!("{:?}", first(one, other)?.0),
        _ => return None,
    };
    let length = first(&one.lengths, &other.lengths)?;
    let protection = first(&one.protections, &other.protections)?;
    let flags = first(&one.flags, &other.flags)?;
    let offset = first(&one.offsets, &other.offsets)?;
    Some(format!(
        "mmap(len={length:#x}, prot={}, flags={}, off={offset:#x}) of {of}",
        Text(*protection),
        Text(*flags)
    ))
}

fn open_of_both(one: &OpenOffer, other: &OpenOffer) -> Option<String> {
    let path = first(&one.paths, &other.paths)?;
    let flags = first(&one.flags, &other.flags)?;
    Some(format!("open({:?}, {})", path.0, Text(*flags)))
}

fn driver_of_both(one: &DriverOffer, other: &DriverOffer) -> Option<String> {
    let none = Script::default();
    let both = Script {
        area: first(&one.area, &other.area).copied(),
        mmap: first(&one.mmap, &other.mmap).copied(),
        capabilities: first(&one.capabilities, &other.capabilities).copied(),
        read: first(&one.read, &other.read).copied(),
        busy: first(&one.busy, &other.busy).copied(),
    };
    (one.path == other.path && both != none)
        .then(|| format!("driver {:?}{}", one.path.0, Text(&both)))
}
