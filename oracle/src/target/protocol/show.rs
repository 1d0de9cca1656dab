//! Writing an answer, as the other side reads it.

use nommu_model::observation::{
    FileView, MappingView, Object, Observation, ProcessView, RegionView, Sight,
};
use nommu_model::op::Protection;
use nommu_model::outcome::{Outcome, Value};
use std::fmt::Write;

/// Adds an outcome. Words stay on one line.
pub fn outcome(text: &mut String, outcome: &Outcome) {
    let _ = match outcome {
        Outcome::Error(errno) => writeln!(text, "= error {}", errno.name()),
        Outcome::Unsupported => writeln!(text, "= unsupported"),
        Outcome::Crash(words) => writeln!(text, "= crash {}", one_line(words)),
        Outcome::Ok(Value::Done) => writeln!(text, "= done"),
        Outcome::Ok(Value::Address(address)) => writeln!(text, "= address {address:#x}"),
        Outcome::Ok(Value::Count(count)) => writeln!(text, "= count {count}"),
        Outcome::Ok(Value::Bytes(bytes)) => {
            self::bytes(text, bytes);
            Ok(())
        }
        Outcome::Ok(Value::Segment { size, attached }) => {
            writeln!(text, "= segment {size:#x} {attached}")
        }
        Outcome::Ok(Value::Mappings(list)) => {
            text.push_str("= ");
            mappings(text, "mappings", list);
            Ok(())
        }
        Outcome::Ok(Value::Regions(list)) => {
            text.push_str("= ");
            regions(text, list);
            Ok(())
        }
    };
}

/// Adds bytes as an outcome.
pub fn bytes(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push_str("= bytes ");
    for byte in bytes {
        let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
        text.extend(digits.map(char::from));
    }
    text.push('\n');
}

/// Adds the parts that can be seen and are otherwise than they were shown; all of them where
/// nothing was.
pub fn parts(text: &mut String, sight: Sight, shown: Option<&Observation>, now: &Observation) {
    let can = |part: Sight| sight.contains(part);
    // Whatever there is to see, that it was not shown before counts as a change.
    let is_new =
        |same: fn(&Observation, &Observation) -> bool| shown.is_none_or(|shown| !same(shown, now));
    if can(Sight::MAPPINGS) {
        processes(text, shown.map_or(&[], |shown| &shown.processes), now);
    }
    if can(Sight::REGIONS) && is_new(|a, b| a.regions == b.regions) {
        regions(text, &now.regions);
    }
    if can(Sight::FREE_BLOCKS) && is_new(|a, b| a.free == b.free) {
        let _ = writeln!(text, "free {}", now.free.len());
        for block in &now.free {
            let _ = writeln!(text, "- {:#x} {}", block.start, block.order);
        }
    }
    if can(Sight::COPIED_PAGES) && is_new(|a, b| a.copied_pages == b.copied_pages) {
        let _ = writeln!(text, "copied {}", now.copied_pages);
    }
    if can(Sight::FILES) && is_new(|a, b| a.files == b.files) {
        let _ = writeln!(text, "files {}", now.files.len());
        for view in &now.files {
            file(text, view);
        }
    }
    if can(Sight::SEGMENTS) && is_new(|a, b| a.segments == b.segments) {
        let _ = writeln!(text, "segments {}", now.segments.len());
        for view in &now.segments {
            let kept = if view.removed { "removed" } else { "kept" };
            let (number, size, attached) = (view.number, view.size, view.attached);
            let start = view.start;
            let _ = writeln!(text, "- {number} {size:#x} {attached} {kept} {start:#x}");
        }
    }
    if can(Sight::DRIVERS) && is_new(|a, b| a.drivers == b.drivers) {
        let _ = writeln!(text, "drivers {}", now.drivers.len());
        for view in &now.drivers {
            let (area, mmap, close) = (view.area_calls, view.mmap_calls, view.close_calls);
            let _ = writeln!(text, "- {} {area} {mmap} {close}", view.number);
        }
    }
}

/// Words without line feeds.
pub fn one_line(words: &str) -> String {
    let words = words.lines().map(str::trim_end);
    words.collect::<Vec<_>>().join("; ")
}

fn processes(text: &mut String, shown: &[ProcessView], now: &Observation) {
    for gone in shown {
        if now
            .processes
            .iter()
            .all(|view| view.process != gone.process)
        {
            let _ = writeln!(text, "gone p{}", gone.process.0);
        }
    }
    for view in &now.processes {
        if !shown.contains(view) {
            let head = format!("mappings p{}", view.process.0);
            mappings(text, &head, &view.mappings);
        }
    }
}

fn mappings(text: &mut String, head: &str, list: &[MappingView]) {
    let _ = writeln!(text, "{head} {}", list.len());
    for view in list {
        let _ = writeln!(
            text,
            "- {:#x} {:#x} {}{} {} {:#x}",
            view.start,
            view.end,
            letters(view.protection),
            if view.shared { 's' } else { 'p' },
            object(view.object),
            view.offset
        );
    }
}

fn regions(text: &mut String, list: &[RegionView]) {
    let _ = writeln!(text, "regions {}", list.len());
    for view in list {
        let _ = writeln!(
            text,
            "- {:#x} {:#x} {:#x} {} {} {} {:#x} {}",
            view.start,
            view.end,
            view.top,
            letters(view.protection),
            if view.copy { "copy" } else { "direct" },
            object(view.object),
            view.offset,
            view.users
        );
    }
}

fn file(text: &mut String, view: &FileView) {
    let _ = write!(text, "- {} {:#x}", view.number, view.size);
    let mut next = 0;
    for page in &view.pages {
        match page.index - next {
            0 => {}
            holes => {
                let _ = write!(text, " -{holes}");
            }
        }
        let _ = write!(text, " {:#x}", page.address);
        next = page.index + 1;
    }
    text.push('\n');
}

fn object(object: Option<Object>) -> String {
    match object {
        None => "anonymous".into(),
        Some(Object::File(number)) => format!("file{number}"),
        Some(Object::Segment(number)) => format!("segment{number}"),
    }
}

fn letters(protection: Protection) -> String {
    let letters = [
        (Protection::READ, 'r'),
        (Protection::WRITE, 'w'),
        (Protection::EXEC, 'x'),
    ];
    let shown = letters.map(|(bit, letter)| match protection.contains(bit) {
        true => letter,
        false => '-',
    });
    shown.into_iter().collect()
}
