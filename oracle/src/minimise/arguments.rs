//! Plainer arguments of an operation.

use crate::trace::Header;
use nommu_model::op::{
    Address, Answer, Call, Fill, MapFlags, Mmap, OpenFlags, Operation, Process, Protection,
    RemapFlags, Script, SegmentFlags, UnsupportedCall,
};
use nommu_model::outcome::Errno;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Operations that differ from one of a trace in one argument, which is plainer, the plainest
/// first. All of them are less than the one there is by an order without cycles.
pub fn plainer(operations: &[Operation], index: usize, header: &Header) -> Vec<Operation> {
    let page = header.page_size;
    let mut found = Vec::new();
    match &operations[index] {
        Operation::SetTrim(pages) => {
            let plainer = [1, 0, 2, 3, 4];
            let place = plainer.iter().position(|plain| plain == pages);
            let better = &plainer[..place.unwrap_or(plainer.len())];
            found.extend(better.iter().map(|&pages| Operation::SetTrim(pages)));
        }
        Operation::Driver(path, script) => {
            found.extend(
                scripts(script)
                    .into_iter()
                    .map(|script| Operation::Driver(path.clone(), script)),
            );
        }
        Operation::Call(process, call) => {
            let mut calls = Vec::new();
            plainer_calls(call, page, &mut calls);
            found.extend(
                calls
                    .into_iter()
                    .map(|call| Operation::Call(*process, call)),
            );
            for number in 0..process.0 {
                found.push(Operation::Call(Process(number), call.clone()));
            }
        }
    }
    found
}

/// Operations of which all at once have the plainest lengths, offsets and protections, but for the
/// last so many. They still act on what they acted on, in the way that they did.
pub fn plainest(operations: &[Operation], kept: usize, header: &Header) -> Vec<Operation> {
    /// Steps to the plainest of one operation at most.
    const STEPS: usize = 12;
    let mut plain = operations.to_vec();
    for index in 0..plain.len().saturating_sub(kept) {
        for _ in 0..STEPS {
            let candidates = plainer(&plain, index, header).into_iter();
            let mut alike = candidates.filter(|other| is_alike(&plain[index], other));
            let Some(next) = alike.next() else { break };
            plain[index] = next;
        }
    }
    plain
}

/// Whether two calls act on the same objects in the same way.
fn is_alike(one: &Operation, other: &Operation) -> bool {
    let (Operation::Call(caller, one), Operation::Call(other_caller, other)) = (one, other) else {
        return false;
    };
    let is_same_place = |one: &Address, other: &Address| match (one, other) {
        (Address::Of(one, _), Address::Of(other, _)) => one == other,
        (Address::Absolute(_), Address::Absolute(_)) => true,
        _ => false,
    };
    let is_same = match (one, other) {
        (Call::Mmap(one), Call::Mmap(other)) => {
            let kind = MapFlags::SHARED | MapFlags::PRIVATE | MapFlags::FIXED;
            let is_writable = |asked: &Mmap| asked.protection.contains(Protection::WRITE);
            one.descriptor == other.descriptor
                && one.address == other.address
                && one.flags & kind == other.flags & kind
                && is_writable(one) == is_writable(other)
        }
        (Call::Munmap { address: one, .. }, Call::Munmap { address: other, .. })
        | (Call::Load { address: one, .. }, Call::Load { address: other, .. })
        | (Call::Store { address: one, .. }, Call::Store { address: other, .. })
        | (Call::FutexWait { address: one, .. }, Call::FutexWait { address: other, .. })
        | (Call::FutexWake { address: one, .. }, Call::FutexWake { address: other, .. }) => {
            is_same_place(one, other)
        }
        (Call::Ftruncate { .. }, Call::Ftruncate { .. })
        | (Call::Truncate { .. }, Call::Truncate { .. })
        | (Call::Read { .. }, Call::Read { .. })
        | (Call::Write { .. }, Call::Write { .. })
        | (Call::Shmget { .. }, Call::Shmget { .. }) => true,
        _ => false,
    };
    caller == other_caller && is_same
}

fn plainer_calls(call: &Call, page: u64, found: &mut Vec<Call>) {
    /// Pushes the call with one field replaced by each of several values.
    macro_rules! each {
        ($pattern:pat => $place:expr, $values:expr) => {
            for value in $values {
                let mut other = call.clone();
                #[allow(irrefutable_let_patterns)]
                if let $pattern = &mut other {
                    $place = value;
                }
                found.push(other);
            }
        };
    }
    match call {
        Call::Mmap(now) => {
            // What begins further on can begin at the beginning, and end where it ended.
            if let Some(length) = now.length.checked_add(now.offset)
                && now.offset > 0
            {
                found.push(Call::Mmap(Mmap {
                    length,
                    offset: 0,
                    ..now.clone()
                }));
            }
            for (place, values) in [
                (0, lengths(now.length, page)),
                (1, offsets(now.offset, page)),
            ] {
                for value in values {
                    let mut other = now.clone();
                    match place {
                        0 => other.length = value,
                        _ => other.offset = value,
                    }
                    found.push(Call::Mmap(other));
                }
            }
            for protection in protections(now.protection) {
                found.push(Call::Mmap(Mmap {
                    protection,
                    ..now.clone()
                }));
            }
            for flags in map_flags(now.flags) {
                found.push(Call::Mmap(Mmap {
                    flags,
                    ..now.clone()
                }));
            }
            if now.descriptor.is_some() {
                found.insert(
                    0,
                    Call::Mmap(Mmap {
                        descriptor: None,
                        offset: 0,
                        ..now.clone()
                    }),
                );
            }
            if let Some(address) = now.address {
                found.push(Call::Mmap(Mmap {
                    address: None,
                    ..now.clone()
                }));
                for address in addresses(address, page) {
                    found.push(Call::Mmap(Mmap {
                        address: Some(address),
                        ..now.clone()
                    }));
                }
            }
        }
        Call::Munmap { address, length } => {
            each!(Call::Munmap { address, .. } => *address, addresses(*address, page));
            each!(Call::Munmap { length, .. } => *length, lengths(*length, page));
        }
        Call::Mremap {
            address,
            old_length,
            new_length,
            flags,
            new_address,
            ..
        } => {
            each!(Call::Mremap { address, .. } => *address, addresses(*address, page));
            each!(Call::Mremap { old_length, .. } => *old_length, lengths(*old_length, page));
            each!(Call::Mremap { new_length, .. } => *new_length, lengths(*new_length, page));
            if new_address.is_some() {
                let mut other = call.clone();
                if let Call::Mremap {
                    flags, new_address, ..
                } = &mut other
                {
                    *flags -= RemapFlags::FIXED;
                    *new_address = None;
                }
                found.push(other);
            }
            let without = *flags - RemapFlags::MAYMOVE;
            if without != *flags {
                each!(Call::Mremap { flags, .. } => *flags, [without]);
            }
            if let Some(target) = new_address {
                each!(
                    Call::Mremap { new_address, .. } => *new_address,
                    addresses(*target, page).into_iter().map(Some)
                );
            }
        }
        Call::Load { address, length } => {
            each!(Call::Load { address, .. } => *address, addresses(*address, page));
            each!(Call::Load { length, .. } => *length, counts(*length, page));
        }
        Call::Store { address, data } => {
            each!(Call::Store { address, .. } => *address, addresses(*address, page));
            each!(Call::Store { data, .. } => *data, fills(*data, page));
        }
        Call::Open { flags, .. } => {
            each!(Call::Open { flags, .. } => *flags, open_flags(*flags));
        }
        Call::Read { offset, length, .. } => {
            each!(Call::Read { offset, .. } => *offset, offsets(*offset, page));
            each!(Call::Read { length, .. } => *length, counts(*length, page));
        }
        Call::Write {
            descriptor,
            offset,
            data,
        } => {
            // As with mappings.
            if let Some(count) = data.count.checked_add(*offset)
                && *offset > 0
            {
                found.push(Call::Write {
                    descriptor: *descriptor,
                    offset: 0,
                    data: Fill { count, ..*data },
                });
            }
            each!(Call::Write { offset, .. } => *offset, offsets(*offset, page));
            each!(Call::Write { data, .. } => *data, fills(*data, page));
        }
        Call::Ftruncate { length, .. } => {
            each!(Call::Ftruncate { length, .. } => *length, lengths(*length, page));
        }
        Call::Truncate { length, .. } => {
            each!(Call::Truncate { length, .. } => *length, lengths(*length, page));
        }
        Call::Vfork { result } => found.push(Call::Clone {
            result: *result,
            shares_memory: true,
        }),
        Call::Exec { stack, .. } => {
            each!(Call::Exec { stack, .. } => *stack, offsets(*stack, page));
        }
        Call::PtracePeek {
            address, length, ..
        } => {
            each!(Call::PtracePeek { address, .. } => *address, addresses(*address, page));
            each!(Call::PtracePeek { length, .. } => *length, counts(*length, page));
        }
        Call::PtracePoke { address, data, .. } => {
            each!(Call::PtracePoke { address, .. } => *address, addresses(*address, page));
            each!(Call::PtracePoke { data, .. } => *data, fills(*data, page));
        }
        Call::Shmget {
            key, size, flags, ..
        } => {
            if *key > 0 {
                each!(Call::Shmget { key, .. } => *key, [0, 1].into_iter().filter(|plain| plain < key));
            }
            each!(Call::Shmget { size, .. } => *size, lengths(*size, page));
            if flags.contains(SegmentFlags::EXCLUSIVE) {
                each!(Call::Shmget { flags, .. } => *flags, [SegmentFlags::CREATE]);
            }
        }
        Call::Shmat {
            read_only: true, ..
        } => {
            each!(Call::Shmat { read_only, .. } => *read_only, [false]);
        }
        Call::Shmdt(address) => {
            for address in addresses(*address, page) {
                found.push(Call::Shmdt(address));
            }
        }
        Call::FutexWait { address, expected } => {
            each!(Call::FutexWait { address, .. } => *address, addresses(*address, page));
            if *expected > 0 {
                each!(Call::FutexWait { expected, .. } => *expected, [0]);
            }
        }
        Call::FutexWake { address, count } => {
            each!(Call::FutexWake { address, .. } => *address, addresses(*address, page));
            if *count != 1 {
                each!(Call::FutexWake { count, .. } => *count, [1]);
            }
        }
        Call::SystemMaps { chunk } => {
            let plainer = [0, 1].into_iter().filter(|plain| plain < chunk);
            found.extend(plainer.map(|chunk| Call::SystemMaps { chunk }));
        }
        Call::ProcessMaps { process, chunk } => {
            let plainer = [0, 1].into_iter().filter(|plain| plain < chunk);
            found.extend(plainer.map(|chunk| Call::ProcessMaps {
                process: *process,
                chunk,
            }));
        }
        Call::Unsupported {
            call: which,
            address,
            length,
        } => {
            if *which != UnsupportedCall::Mprotect {
                each!(Call::Unsupported { call, .. } => *call, [UnsupportedCall::Mprotect]);
            }
            each!(Call::Unsupported { address, .. } => *address, addresses(*address, page));
            each!(Call::Unsupported { length, .. } => *length, lengths(*length, page));
        }
        _ => {}
    }
}

/// How plain a number is: whole pages before parts, then few before many.
fn rank(value: u64, page: u64) -> (bool, u64) {
    (!value.is_multiple_of(page), value)
}

/// Values that are plainer than one, from a list of good ones.
fn plainer_numbers(value: u64, page: u64, good: &[u64]) -> Vec<u64> {
    let mut found: Vec<u64> = good
        .iter()
        .copied()
        .chain([
            value / page * page,
            value.checked_next_multiple_of(page).unwrap_or(value),
            value / 2,
            value / 2 / page * page,
            value.saturating_sub(page),
            value - u64::from(value > 0),
        ])
        .filter(|&plain| rank(plain, page) < rank(value, page))
        .collect();
    found.dedup();
    found
}

/// One page is the plainest length. None at all says something else, so it is the least plain:
/// where it stays, it matters.
fn lengths(value: u64, page: u64) -> Vec<u64> {
    if value == 0 {
        return vec![page];
    }
    let mut found = plainer_numbers(value, page, &[page, 2 * page, 3 * page, 4 * page, 1]);
    found.retain(|&plain| plain > 0);
    if value < page {
        // Less than a page, without a reason.
        found.insert(0, page);
        found.retain(|&plain| plain == page || plain < value);
    }
    found
}

fn offsets(value: u64, page: u64) -> Vec<u64> {
    plainer_numbers(value, page, &[0, page, 2 * page, 1])
}

/// Bytes that are moved.
fn counts(value: u64, _page: u64) -> Vec<u64> {
    [1, 4, 8, value / 2, value - u64::from(value > 0)]
        .into_iter()
        .filter(|&plain| plain > 0 && plain < value)
        .collect()
}

fn fills(data: Fill, page: u64) -> Vec<Fill> {
    let mut found: Vec<Fill> = counts(data.count, page)
        .into_iter()
        .map(|count| Fill { count, ..data })
        .collect();
    if data.byte != b'A' {
        found.push(Fill { byte: b'A', ..data });
    }
    found
}

fn addresses(address: Address, page: u64) -> Vec<Address> {
    match address {
        Address::Of(name, offset) => {
            let negative = offset < 0;
            let mut found: Vec<Address> = offsets(offset.unsigned_abs(), page)
                .into_iter()
                .map(|plain| {
                    let plain = plain as i64;
                    Address::Of(name, if negative { -plain } else { plain })
                })
                .collect();
            // The first that is mapped is the plainest to speak of.
            if name.0 > 0 {
                let first = nommu_model::op::MappingName(name.0 - 1);
                found.push(Address::Of(first, offset));
            }
            found
        }
        Address::Absolute(value) => offsets(value, page)
            .into_iter()
            .map(Address::Absolute)
            .collect(),
    }
}

fn protections(protection: Protection) -> Vec<Protection> {
    let plain = [
        Protection::READ,
        Protection::READ | Protection::WRITE,
        Protection::READ | Protection::EXEC,
    ];
    let place = plain.iter().position(|&plain| plain == protection);
    plain[..place.unwrap_or(plain.len())].to_vec()
}

fn map_flags(flags: MapFlags) -> Vec<MapFlags> {
    let mut found = Vec::new();
    for bit in [MapFlags::UNINITIALIZED, MapFlags::FIXED] {
        if flags.contains(bit) {
            found.push(flags - bit);
        }
    }
    match (
        flags.contains(MapFlags::SHARED),
        flags.contains(MapFlags::PRIVATE),
    ) {
        (true, false) => found.push((flags - MapFlags::SHARED) | MapFlags::PRIVATE),
        (true, true) => {
            found.push(flags - MapFlags::SHARED);
            found.push(flags - MapFlags::PRIVATE);
        }
        (false, false) => found.push(flags | MapFlags::PRIVATE),
        (false, true) => {}
    }
    found
}

fn open_flags(flags: OpenFlags) -> Vec<OpenFlags> {
    let mut found = Vec::new();
    if flags.contains(OpenFlags::TRUNCATE) {
        found.push(flags - OpenFlags::TRUNCATE);
    }
    if flags.contains(OpenFlags::CREATE) {
        found.push(flags - OpenFlags::CREATE);
    }
    let modes = OpenFlags::READ | OpenFlags::WRITE;
    if flags & modes != OpenFlags::READ {
        let others = flags - modes - OpenFlags::TRUNCATE;
        found.push(others | OpenFlags::READ);
        if flags & modes != modes {
            found.push(others | modes);
        }
    }
    found
}

fn scripts(script: &Script) -> Vec<Script> {
    let mut found = Vec::new();
    let given = [
        script.capabilities.is_some(),
        script.area.is_some(),
        script.mmap.is_some(),
        script.read.is_some(),
        script.busy.is_some(),
    ];
    if given.iter().filter(|&&given| given).count() > 1 {
        found.push(Script {
            capabilities: None,
            ..*script
        });
        found.push(Script {
            area: None,
            ..*script
        });
        found.push(Script {
            mmap: None,
            ..*script
        });
        found.push(Script {
            read: None,
            ..*script
        });
        found.push(Script {
            busy: None,
            ..*script
        });
        found.retain(|plain| plain != script);
    }
    if let Some(Some(capabilities)) = script.capabilities {
        for bit in capabilities.iter() {
            found.push(Script {
                capabilities: Some(Some(capabilities - bit)),
                ..*script
            });
        }
    }
    let plainer = |answer| match answer {
        Some(Answer::Error(Errno::EINVAL | Errno::ENOSYS)) | None => None,
        Some(Answer::Error(_)) => Some(Answer::Error(Errno::EINVAL)),
        Some(Answer::Absent | Answer::Ok) => None,
    };
    if let Some(answer) = plainer(script.area) {
        found.push(Script {
            area: Some(answer),
            ..*script
        });
    }
    if let Some(answer) = plainer(script.mmap) {
        found.push(Script {
            mmap: Some(answer),
            ..*script
        });
    }
    found
}

/// Operations for pages of another size, as near as can be to what they were.
pub fn rescale(operations: &[Operation], from: u64, into: u64) -> Vec<Operation> {
    let number = |value: u64| {
        if value >= 1 << 29 {
            // Not so many pages, but something at an end of all numbers.
            let below = value.wrapping_neg();
            if below < 1 << 29 {
                return (below / from * into + below % from).wrapping_neg();
            }
            return value / into * into;
        }
        let rest = value % from;
        value / from * into
            + match rest {
                0 => 0,
                rest if rest > from / 2 => into.saturating_sub(from - rest),
                rest => rest,
            }
    };
    map_numbers(operations, number)
}

/// By how much what is not less than a number could be less, so that the number is a few whole
/// pages: what is cut off behind a mapping's beginning moves with its end.
pub fn shifts(operations: &[Operation], page: u64) -> Vec<(u64, u64)> {
    /// Pages at most.
    const FEW: u64 = 8;
    let mut shifts = Vec::new();
    for number in numbers(operations).into_keys() {
        let few = (1..=FEW).map(|pages| pages * page);
        let less = few.take_while(|&few| few < number);
        shifts.extend(less.map(|few| (number, number - few)));
    }
    shifts
}

/// Applies a function to everything that counts bytes.
pub fn map_numbers(operations: &[Operation], number: impl Fn(u64) -> u64) -> Vec<Operation> {
    let signed = |value: i64| {
        let size = number(value.unsigned_abs()) as i64;
        if value < 0 { -size } else { size }
    };
    let address = |address: &mut Address| match address {
        Address::Of(_, offset) => *offset = signed(*offset),
        Address::Absolute(value) => *value = number(*value),
    };
    let mut operations = operations.to_vec();
    for operation in &mut operations {
        let Operation::Call(_, call) = operation else {
            continue;
        };
        match call {
            Call::Mmap(call) => {
                call.length = number(call.length);
                call.offset = number(call.offset);
                if let Some(at) = &mut call.address {
                    address(at);
                }
            }
            Call::Mremap {
                address: at,
                old_length,
                new_length,
                new_address,
                ..
            } => {
                address(at);
                *old_length = number(*old_length);
                *new_length = number(*new_length);
                if let Some(at) = new_address {
                    address(at);
                }
            }
            Call::Munmap {
                address: at,
                length,
            }
            | Call::Load {
                address: at,
                length,
            }
            | Call::Unsupported {
                address: at,
                length,
                ..
            }
            | Call::PtracePeek {
                address: at,
                length,
                ..
            } => {
                address(at);
                *length = number(*length);
            }
            Call::Store { address: at, data }
            | Call::PtracePoke {
                address: at, data, ..
            } => {
                address(at);
                data.count = number(data.count);
            }
            Call::Read { offset, length, .. } => {
                *offset = number(*offset);
                *length = number(*length);
            }
            Call::Write { offset, data, .. } => {
                *offset = number(*offset);
                data.count = number(data.count);
            }
            Call::Ftruncate { length, .. } | Call::Truncate { length, .. } => {
                *length = number(*length);
            }
            Call::Exec { stack, .. } => *stack = number(*stack),
            Call::Shmget { size, .. } => *size = number(*size),
            Call::FutexWait { address: at, .. }
            | Call::FutexWake { address: at, .. }
            | Call::Shmdt(at) => address(at),
            _ => {}
        }
    }
    operations
}

/// Lengths that occur more than once, with plainer ones that could stand in all their places.
pub fn common_numbers(operations: &[Operation], page: u64) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for (value, count) in numbers(operations) {
        if count > 1 && value > 1 {
            let plainer = lengths(value, page).into_iter();
            found.extend(plainer.map(|plain| (value, plain)));
        }
    }
    found
}

/// Everything that counts bytes, with how often it occurs.
fn numbers(operations: &[Operation]) -> BTreeMap<u64, u32> {
    let seen = RefCell::new(BTreeMap::new());
    map_numbers(operations, |value| {
        *seen.borrow_mut().entry(value).or_insert(0) += 1;
        value
    });
    seen.into_inner()
}

/// Where an operation stands among others that could as well come before it: what makes
/// things first.
pub fn order(operation: &Operation) -> u8 {
    match operation {
        Operation::SetTrim(_) => 0,
        Operation::Driver(..) => 1,
        Operation::Call(_, call) => match call {
            Call::Fork { .. } | Call::Vfork { .. } | Call::Clone { .. } => 2,
            Call::PtraceAttach(_) => 3,
            Call::Open { .. } | Call::Pipe { .. } | Call::Socket { .. } => 4,
            Call::Shmget { .. } => 5,
            Call::Ftruncate { .. } | Call::Truncate { .. } | Call::Write { .. } => 6,
            _ => 7,
        },
    }
}
