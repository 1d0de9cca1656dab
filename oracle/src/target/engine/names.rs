//! What the names of a trace stand for in the engine.

use nommu_engine::{Fd, Pid, SegmentNumber};
use nommu_model::op::{Address, Descriptor, Process, SegmentName};

/// What the names of a trace stand for in the engine.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By [`Process`].
    pub processes: Vec<Option<Pid>>,
    /// By [`Pid`].
    pub named: Vec<Process>,
    /// By [`Process`], then [`Descriptor`].
    pub descriptors: Vec<Vec<Fd>>,
    pub mappings: Vec<u64>,
    pub segments: Vec<SegmentNumber>,
}

impl Clone for Names {
    fn clone(&self) -> Self {
        let Self {
            processes,
            named,
            descriptors,
            mappings,
            segments,
        } = self;
        Self {
            processes: processes.clone(),
            named: named.clone(),
            descriptors: descriptors.clone(),
            mappings: mappings.clone(),
            segments: segments.clone(),
        }
    }

    /// Asks for no memory where there is as much already.
    fn clone_from(&mut self, source: &Self) {
        self.processes.clone_from(&source.processes);
        self.named.clone_from(&source.named);
        self.descriptors.clone_from(&source.descriptors);
        self.mappings.clone_from(&source.mappings);
        self.segments.clone_from(&source.segments);
    }
}

/// No descriptor has this number.
pub(super) const CLOSED: Fd = Fd(u32::MAX);
/// No process has this number.
pub(super) const NOBODY: Pid = Pid(u32::MAX);
/// No segment has this number.
pub(super) const NO_SEGMENT: SegmentNumber = SegmentNumber(u32::MAX);

impl Names {
    /// Names of so many processes, and of nothing else.
    pub fn begin(&mut self, processes: u16) {
        self.processes.clear();
        self.named.clear();
        self.descriptors.iter_mut().for_each(Vec::clear);
        self.descriptors
            .resize_with(usize::from(processes), Vec::new);
        self.mappings.clear();
        self.segments.clear();
        for number in 0..processes {
            self.processes.push(Some(Pid(u32::from(number))));
            self.named.push(Process(number));
        }
    }

    /// Whether all but those of mappings stand for the same.
    pub fn are_still(&self, other: &Self) -> bool {
        let Self {
            processes,
            named,
            descriptors,
            mappings: _,
            segments,
        } = self;
        *processes == other.processes
            && *named == other.named
            && *descriptors == other.descriptors
            && *segments == other.segments
    }

    pub fn pid(&self, process: Process) -> Pid {
        let pid = self.processes.get(usize::from(process.0)).copied();
        pid.flatten().unwrap_or(NOBODY)
    }

    pub fn fd(&self, process: Process, descriptor: Descriptor) -> Fd {
        let descriptors = self.descriptors.get(usize::from(process.0));
        descriptors
            .and_then(|descriptors| descriptors.get(usize::from(descriptor.0)))
            .copied()
            .unwrap_or(CLOSED)
    }

    pub fn bind_fd(&mut self, process: Process, descriptor: Descriptor, fd: Fd) {
        let descriptors = &mut self.descriptors[usize::from(process.0)];
        put(descriptors, usize::from(descriptor.0), fd, CLOSED);
    }

    pub fn bind_child(&mut self, parent: Process, child: Process, pid: Pid) {
        let inherited = self.descriptors[usize::from(parent.0)].clone();
        let place = usize::from(child.0);
        put(&mut self.processes, place, Some(pid), None);
        put(&mut self.descriptors, place, inherited, Vec::new());
        put(&mut self.named, pid.0 as usize, child, Process(u16::MAX));
    }

    pub fn address(&self, address: Address) -> u64 {
        match address {
            Address::Of(name, offset) => self
                .mappings
                .get(usize::from(name.0))
                .copied()
                .unwrap_or(0)
                .wrapping_add_signed(offset),
            Address::Absolute(address) => address,
        }
    }

    pub fn segment(&self, name: SegmentName) -> SegmentNumber {
        let number = self.segments.get(usize::from(name.0)).copied();
        number.unwrap_or(NO_SEGMENT)
    }
}

pub(super) fn put<T: Clone>(list: &mut Vec<T>, place: usize, value: T, missing: T) {
    if list.len() <= place {
        list.resize(place + 1, missing);
    }
    list[place] = value;
}
