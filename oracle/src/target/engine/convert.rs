//! The vocabulary in the engine's types, and back.

use nommu_engine as engine;
use nommu_model::observation as seen;
use nommu_model::op;
use nommu_model::outcome::{Errno, Outcome, Value};

pub fn protection(protection: op::Protection) -> engine::Protection {
    let mut bits = engine::Protection::empty();
    bits.set(
        engine::Protection::READ,
        protection.contains(op::Protection::READ),
    );
    bits.set(
        engine::Protection::WRITE,
        protection.contains(op::Protection::WRITE),
    );
    bits.set(
        engine::Protection::EXEC,
        protection.contains(op::Protection::EXEC),
    );
    bits
}

fn seen_protection(protection: engine::Protection) -> op::Protection {
    let mut bits = op::Protection::empty();
    bits.set(
        op::Protection::READ,
        protection.contains(engine::Protection::READ),
    );
    bits.set(
        op::Protection::WRITE,
        protection.contains(engine::Protection::WRITE),
    );
    bits.set(
        op::Protection::EXEC,
        protection.contains(engine::Protection::EXEC),
    );
    bits
}

pub fn map_flags(flags: op::MapFlags) -> engine::MapFlags {
    let pairs = [
        (op::MapFlags::SHARED, engine::MapFlags::SHARED),
        (op::MapFlags::PRIVATE, engine::MapFlags::PRIVATE),
        (op::MapFlags::FIXED, engine::MapFlags::FIXED),
        (op::MapFlags::UNINITIALIZED, engine::MapFlags::UNINITIALIZED),
    ];
    let mut bits = engine::MapFlags::empty();
    for (from, to) in pairs {
        bits.set(to, flags.contains(from));
    }
    bits
}

pub fn remap_flags(flags: op::RemapFlags) -> engine::RemapFlags {
    let mut bits = engine::RemapFlags::empty();
    bits.set(
        engine::RemapFlags::MAYMOVE,
        flags.contains(op::RemapFlags::MAYMOVE),
    );
    bits.set(
        engine::RemapFlags::FIXED,
        flags.contains(op::RemapFlags::FIXED),
    );
    bits
}

pub fn open_flags(flags: op::OpenFlags) -> engine::OpenFlags {
    let pairs = [
        (op::OpenFlags::READ, engine::OpenFlags::READ),
        (op::OpenFlags::WRITE, engine::OpenFlags::WRITE),
        (op::OpenFlags::CREATE, engine::OpenFlags::CREATE),
        (op::OpenFlags::TRUNCATE, engine::OpenFlags::TRUNCATE),
    ];
    let mut bits = engine::OpenFlags::empty();
    for (from, to) in pairs {
        bits.set(to, flags.contains(from));
    }
    bits
}

pub fn segment_flags(flags: op::SegmentFlags) -> engine::SegmentFlags {
    let mut bits = engine::SegmentFlags::empty();
    bits.set(
        engine::SegmentFlags::CREATE,
        flags.contains(op::SegmentFlags::CREATE),
    );
    bits.set(
        engine::SegmentFlags::EXCLUSIVE,
        flags.contains(op::SegmentFlags::EXCLUSIVE),
    );
    bits
}

fn capabilities(capabilities: op::Capabilities) -> engine::Capabilities {
    let pairs = [
        (op::Capabilities::COPY, engine::Capabilities::COPY),
        (op::Capabilities::DIRECT, engine::Capabilities::DIRECT),
        (op::Capabilities::READ, engine::Capabilities::READ),
        (op::Capabilities::WRITE, engine::Capabilities::WRITE),
        (op::Capabilities::EXEC, engine::Capabilities::EXEC),
    ];
    let mut bits = engine::Capabilities::empty();
    for (from, to) in pairs {
        bits.set(to, capabilities.contains(from));
    }
    bits
}

fn answer(answer: op::Answer) -> engine::Answer {
    match answer {
        op::Answer::Absent => engine::Answer::Absent,
        op::Answer::Ok => engine::Answer::Ok,
        op::Answer::Error(errno) => {
            engine::Answer::Error(engine::Errno::new(errno.number() as u16))
        }
    }
}

pub fn script(script: &op::Script) -> engine::Script {
    engine::Script {
        capabilities: script
            .capabilities
            .map(|declared| declared.map(capabilities)),
        area: script.area.map(answer),
        mmap: script.mmap.map(answer),
        read: script.read,
        busy: script.busy,
    }
}

/// Each byte, as often as a few bytes are.
static FEW: [[u8; 64]; 256] = {
    let mut few = [[0; 64]; 256];
    let mut byte = 0;
    while byte < few.len() {
        few[byte] = [byte as u8; 64];
        byte += 1;
    }
    few
};

/// Bytes in the engine's terms: either of its two where they are few, so that both are judged.
pub fn source<'a>(data: &op::Fill) -> engine::Source<'a> {
    let few = usize::try_from(data.count)
        .ok()
        .and_then(|count| FEW[usize::from(data.byte)].get(..count));
    match few {
        Some(bytes) if data.byte % 2 == 1 => engine::Source::Bytes(bytes),
        _ => engine::Source::Fill {
            byte: data.byte,
            count: data.count,
        },
    }
}

fn object(object: engine::Object) -> seen::Object {
    match object {
        engine::Object::File(number) => seen::Object::File(number.0 as u16),
        engine::Object::Segment(number) => seen::Object::Segment(number.0 as u16),
    }
}

pub fn mapping(view: &engine::MappingView) -> seen::MappingView {
    seen::MappingView {
        start: view.start,
        end: view.end,
        protection: seen_protection(view.protection),
        shared: view.shared,
        object: view.object.map(object),
        offset: view.offset,
    }
}

pub fn region(view: &engine::RegionView) -> seen::RegionView {
    seen::RegionView {
        start: view.start,
        end: view.end,
        top: view.top,
        protection: seen_protection(view.protection),
        object: view.object.map(object),
        offset: view.offset,
        copy: view.copy,
        users: view.users,
    }
}

pub fn segment(view: &engine::SegmentView) -> seen::SegmentView {
    seen::SegmentView {
        number: view.number.0 as u16,
        size: view.size,
        attached: view.attached,
        removed: view.removed,
        start: view.start,
    }
}

pub fn driver(view: &engine::DriverView) -> seen::DriverView {
    seen::DriverView {
        number: view.number.0 as u16,
        area_calls: view.area_calls,
        mmap_calls: view.mmap_calls,
        close_calls: view.close_calls,
    }
}

/// What a call returned, with a success put into words by `value`.
pub fn outcome<T>(result: engine::Result<T>, value: impl FnOnce(T) -> Value) -> Outcome {
    match result {
        Ok(success) => Outcome::Ok(value(success)),
        Err(error) => match Errno::from_number(u32::from(error.number())) {
            Some(errno) => Outcome::Error(errno),
            None => Outcome::Crash(format!("an error without a name: {error}")),
        },
    }
}
