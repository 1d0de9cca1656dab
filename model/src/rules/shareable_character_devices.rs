//! Lines 202-244: who decides how a character device is mapped.

use super::view::{self, Request};
use super::{Kinds, Step, Verdict, rules};
use crate::op::{Answer, Capabilities, Operation};
use crate::outcome::Errno::{self, *};
use crate::world::World;
use crate::world::file::{Driver, Kind};
use crate::world::space::Backing;
use Verdict::{Holds, NotApplicable, Violated};

rules! { "shareable-character-devices":
    "driver-asked-for-address": Kinds::MMAP, 65, driver_asked_for_address;
    "driver-address-error": Kinds::MMAP, 85, driver_address_error;
    "driver-default-capabilities": Kinds::MMAP, 88, driver_default_capabilities;
    "driver-permitted-mappings": Kinds::MMAP, 80, driver_permitted_mappings;
    "driver-mmap-called": Kinds::MMAP, 65, driver_mmap_called;
    "driver-mmap-rejects": Kinds::MMAP, 85, driver_mmap_rejects;
    "driver-mmap-enosys-copies": Kinds::MMAP, 86, driver_mmap_enosys_copies;
    "driver-close-last": Kinds::RELEASES, 85, driver_close_last;
    "driver-share-without-notice": Kinds::MMAP, 75, driver_share_without_notice;
    "driver-area-enosys": Kinds::MMAP, 86, driver_area_enosys;
    "busy-not-visible": Kinds::MMAP.union(Kinds::READ).union(Kinds::DRIVER), 90, busy_not_visible;
}

/// A request for a device with a driver, and how often the driver was asked for it.
struct Asked<'s, 'a> {
    request: &'s Request<'a>,
    driver: &'a Driver,
    area_calls: u32,
    mmap_calls: u32,
    /// Whether the driver has to be asked: the device may be mapped directly as far as its
    /// capabilities go, and no mapping that exists will do.
    must_ask: bool,
    /// Whether a copy may be had in place of a direct mapping.
    copies: bool,
}

fn asked<'s, 'a>(step: &'s Step<'a>) -> Option<Asked<'s, 'a>> {
    let request = step.sound_request()?;
    let (number, file) = request.file?;
    let driver = file.driver.as_ref()?;
    let after = step.after.file(number).driver?;
    let capabilities = request.capabilities();
    let direct = !request.is_private_write()
        && capabilities.contains(Capabilities::DIRECT)
        && request.permitted();
    let copies = request.is_private_read() && capabilities.contains(Capabilities::COPY);
    // What a traced process maps privately is copied where it can be.
    let own = copies && request.traced(step.before);
    // An implementation that is known to want a copy of all that is private has asked nobody.
    let refused = request.is_private_read()
        && !capabilities.contains(Capabilities::COPY)
        && step
            .before
            .config
            .deviates("private-of-direct-only-refused")
        && step.failed_with(&[ENODEV]);
    let must_ask = direct && !own && !driver.busy && !refused && !request.may_share(step.before);
    Some(Asked {
        request,
        driver,
        area_calls: after.area_calls.wrapping_sub(driver.area_calls),
        mmap_calls: after.mmap_calls.wrapping_sub(driver.mmap_calls),
        must_ask,
        copies,
    })
}

/// Lines 205-207: get_unmapped_area() is asked for the address.
fn driver_asked_for_address(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step) else {
        return NotApplicable;
    };
    let file = step.before.file(asked.request.file.unwrap().0);
    // Flash in a machine of its own has a driver that does not count.
    let uncounted = step.before.config.window.is_none()
        && (file.memory.is_none() || file.kind == Kind::Mtd && step.error().is_some());
    if step.injected_failure || uncounted {
        return NotApplicable;
    }
    if !asked.must_ask {
        // Nobody asks a driver without the operation.
        let absent = asked.driver.area == Answer::Absent;
        return match absent {
            true => Verdict::demand(asked.area_calls == 0, || {
                "get_unmapped_area was called, and there is none".to_owned()
            }),
            false => NotApplicable,
        };
    }
    Verdict::demand(asked.area_calls == 1, || {
        format!(
            "get_unmapped_area was called {} times, expected once",
            asked.area_calls
        )
    })
}

fn passed_on(step: &Step<'_>, errno: Errno, whose: &str) -> Verdict {
    Verdict::demand(
        step.error() == Some(errno) || step.failed_by_injection(),
        || format!("{}, expected {errno} as {whose} answered", step.answer()),
    )
}

/// Lines 207-209: it may answer with an error, which is the request's.
fn driver_address_error(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step).filter(|asked| asked.must_ask) else {
        return NotApplicable;
    };
    match asked.driver.area {
        Answer::Error(ENOSYS) | Answer::Absent => NotApplicable,
        Answer::Error(errno) => passed_on(step, errno, "get_unmapped_area"),
        // Too long, or at a weird offset.
        Answer::Ok if !asked.request.inside(step.before) => passed_on(
            step,
            EINVAL,
            "get_unmapped_area, the device has no such pages,",
        ),
        Answer::Ok => NotApplicable,
    }
}

/// Lines 212-214: a device that declares nothing is readable and writable, not executable, and
/// can only be mapped directly.
fn driver_default_capabilities(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    let is_default = |driver: &&Driver| driver.capabilities.is_none();
    if request.driver().filter(is_default).is_none() {
        return NotApplicable;
    }
    if step.new_region().is_some() {
        return Violated("a copy, and the device can only be mapped directly".to_owned());
    }
    let executes = request
        .mmap
        .protection
        .contains(crate::op::Protection::EXEC);
    // What is mapped already, from before, is re-used before anybody is asked (lines 41-43).
    let reused = request.is_private_read() && request.may_share(step.before);
    if executes && !reused {
        return Verdict::demand(step.error().is_some(), || {
            format!(
                "{}, expected an error: the device is not executable",
                step.answer()
            )
        });
    }
    if step.succeeded() {
        Holds
    } else {
        NotApplicable
    }
}

/// Lines 211-212: the capabilities say which direct mappings are permitted.
fn driver_permitted_mappings(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    if request.driver().is_none() {
        return NotApplicable;
    }
    let may = request.capabilities().contains(Capabilities::DIRECT) && request.permitted();
    let Some(made) = step.made().filter(|made| made.backing == Backing::Direct) else {
        return if may { NotApplicable } else { Holds };
    };
    Verdict::demand(may || request.may_share(step.before), || {
        format!(
            "a direct mapping for {:?}, and the device does not permit it",
            made.protection
        )
    })
}

/// Lines 216-217: mmap() is called to inaugurate the mapping, once the address is known.
fn driver_mmap_called(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step).filter(|asked| asked.must_ask) else {
        return NotApplicable;
    };
    if asked.driver.area != Answer::Ok
        || step.injected_failure
        || !asked.request.inside(step.before)
    {
        return NotApplicable;
    }
    Verdict::demand(asked.mmap_calls == 1, || {
        format!(
            "the driver's mmap was called {} times, expected once",
            asked.mmap_calls
        )
    })
}

/// Line 217: the mapping can be rejected at that point.
fn driver_mmap_rejects(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step).filter(|asked| asked.must_ask) else {
        return NotApplicable;
    };
    match asked.driver.mmap {
        Answer::Error(errno)
            if errno != ENOSYS
                && asked.driver.area == Answer::Ok
                && asked.request.inside(step.before) =>
        {
            passed_on(step, errno, "the driver's mmap")
        }
        _ => NotApplicable,
    }
}

/// What ENOSYS from a driver leads to: a copy where there may be one, else a refusal.
fn copied_or_refused(step: &Step<'_>, asked: &Asked<'_, '_>, whose: &str) -> Verdict {
    if step.failed_by_injection() || asked.copies && step.error() == Some(ENOMEM) {
        return NotApplicable;
    }
    if asked.copies {
        return Verdict::demand(step.new_region().is_some(), || {
            format!(
                "{}, expected a copy: {whose} answered ENOSYS",
                step.answer()
            )
        });
    }
    Verdict::demand(step.error().is_some(), || {
        format!(
            "{}, expected an error: {whose} answered ENOSYS and there is no copy",
            step.answer()
        )
    })
}

/// Lines 217-218: ENOSYS causes a copy, if NOMMU_MAP_COPY is specified.
fn driver_mmap_enosys_copies(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step).filter(|asked| asked.must_ask) else {
        return NotApplicable;
    };
    let agreed = asked.driver.area == Answer::Ok && asked.request.inside(step.before);
    if !agreed || asked.driver.mmap != Answer::Error(ENOSYS) {
        return NotApplicable;
    }
    copied_or_refused(step, &asked, "the driver's mmap")
}

/// Lines 224-231: so does ENOSYS from get_unmapped_area(); without the capability the request
/// is rejected.
fn driver_area_enosys(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step).filter(|asked| asked.must_ask) else {
        return NotApplicable;
    };
    if asked.driver.area != Answer::Error(ENOSYS) {
        return NotApplicable;
    }
    copied_or_refused(step, &asked, "get_unmapped_area")
}

/// Direct mappings of a device.
fn direct_mappings(world: &World, number: u16) -> usize {
    view::mappings(world)
        .filter(|(_, mapping)| {
            mapping.backing == Backing::Direct
                && view::file_of(mapping.object).is_some_and(|file| file.0 == number)
        })
        .count()
}

/// Lines 220-221: close() is invoked when the last mapping is removed, and not before.
fn driver_close_last(step: &Step<'_>) -> Verdict {
    if step.before.spaces.is_same(&step.after.spaces)
        && step.before.files.is_same(&step.after.files)
    {
        return NotApplicable;
    }
    let mut verdict = NotApplicable;
    for (number, (before, after)) in
        (0..).zip(step.before.files.iter().zip(step.after.files.iter()))
    {
        let (Some(old), Some(new)) = (before.driver, after.driver) else {
            continue;
        };
        let had = direct_mappings(step.before, number);
        if had == 0 && old.close_calls == new.close_calls {
            continue;
        }
        let expected = u32::from(had > 0 && direct_mappings(step.after, number) == 0);
        let calls = new.close_calls.wrapping_sub(old.close_calls);
        if calls != expected {
            return Violated(format!(
                "the driver of file {number} was told {calls} times that the last mapping is gone, \
                 expected {expected}"
            ));
        }
        if expected == 1 {
            verdict = Holds;
        }
    }
    verdict
}

/// Lines 221-222: a mapping that can be shared is, without notifying the driver.
fn driver_share_without_notice(step: &Step<'_>) -> Verdict {
    let Some(asked) = asked(step) else {
        return NotApplicable;
    };
    let world = step.before;
    let Some((number, _)) = asked.request.file else {
        return NotApplicable;
    };
    // What a traced process maps privately is its own.
    let own = asked.request.is_private_read() && asked.request.traced(world);
    if asked.request.is_private_write() || own {
        return NotApplicable;
    }
    let shared = asked.request.is_shared();
    let fits = view::mappings(world).any(|(_, mapping)| {
        view::file_of(mapping.object) == Some(number)
            && mapping.backing == Backing::Direct
            && mapping.shareable
            && mapping.shared == shared
            && mapping.protection.contains(asked.request.mmap.protection)
            && asked
                .request
                .within(world, mapping.offset, mapping.end - mapping.start)
    });
    // What it permits may have changed since.
    if !fits
        || !asked.request.permitted()
        || !asked.request.capabilities().contains(Capabilities::DIRECT)
    {
        return NotApplicable;
    }
    Verdict::demand(asked.area_calls == 0 && asked.mmap_calls == 0, || {
        format!(
            "the driver was asked ({} and {} calls), and a mapping has these pages already",
            asked.area_calls, asked.mmap_calls
        )
    })
}

/// Lines 233-244: nobody comes to see what a busy device shows in place of its data.
fn busy_not_visible(step: &Step<'_>) -> Verdict {
    if let Operation::Driver(path, script) = step.operation {
        if script.busy != Some(true) {
            // What else a driver does is always possible.
            return match step.error() {
                Some(error) => Violated(format!("{error}, expected success")),
                None => NotApplicable,
            };
        }
        let found = (0..)
            .zip(step.before.files.iter())
            .find(|(_, file)| !file.dead && file.path.as_ref() == Some(path));
        let Some((number, _)) = found else {
            return NotApplicable;
        };
        if direct_mappings(step.before, number) == 0 {
            return Verdict::demand(step.succeeded(), || {
                format!(
                    "{}, expected success: no program sees the device",
                    step.answer()
                )
            });
        }
        return Verdict::demand(step.failed_with(&[EBUSY, EAGAIN]), || {
            format!("{}, expected EBUSY: programs see the device", step.answer())
        });
    }
    if let Some((process, crate::op::Call::Read { descriptor, .. })) = step.call() {
        let busy = view::target(step.before, process, *descriptor).is_some_and(|(open, file)| {
            open.readable
                && file.is_some_and(|(_, file)| {
                    matches!(file.kind, Kind::Character | Kind::Mtd)
                        && file
                            .driver
                            .is_some_and(|driver| driver.busy && driver.readable)
                })
        });
        return match busy {
            true => Verdict::demand(step.error().is_some(), || {
                format!("{}, expected EBUSY", step.answer())
            }),
            false => NotApplicable,
        };
    }
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    if !request.driver().is_some_and(|driver| driver.busy) {
        return NotApplicable;
    }
    let shows = step
        .made()
        .is_some_and(|made| made.backing == Backing::Direct)
        || step.new_region().is_some();
    Verdict::demand(!shows, || {
        format!(
            "{}, expected EBUSY: what it shows is not its data",
            step.answer()
        )
    })
}
