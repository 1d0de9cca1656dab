//! A system that runs, and performs operations.

use super::names::{CLOSED, NO_SEGMENT, Names, put};
use super::{TrackedMemory, convert, maps};
use nommu_engine::{Config, Engine, MapRequest, Pid, Result};
use nommu_model::observation::Observation;
use nommu_model::op::{Call, MappingName, Operation, Process, UnsupportedCall};
use nommu_model::outcome::{Outcome, Value};

/// A system that runs.
pub(super) struct System {
    pub engine: Engine<TrackedMemory>,
    pub config: Config,
    pub names: Names,
    pub seen: Observation,
    /// Its words, once it died.
    pub dead: Option<String>,
    pub injected: bool,
    pub bytes: Vec<u8>,
}

impl System {
    pub fn perform(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Call(process, call) => self.call(*process, call),
            Operation::SetTrim(pages) => done(self.engine.set_trim(*pages)),
            Operation::Driver(path, script) => {
                done(self.engine.set_driver(&path.0, &convert::script(script)))
            }
        }
    }

    fn call(&mut self, process: Process, call: &Call) -> Outcome {
        let names = &mut self.names;
        let engine = &mut self.engine;
        let pid = names.pid(process);
        match *call {
            Call::Mmap(ref call) => {
                let request = MapRequest {
                    address: call.address.map_or(0, |address| names.address(address)),
                    length: call.length,
                    protection: convert::protection(call.protection),
                    flags: convert::map_flags(call.flags),
                    descriptor: call
                        .descriptor
                        .map(|descriptor| names.fd(process, descriptor)),
                    offset: call.offset,
                };
                let result = engine.mmap(pid, &request);
                self.bind_address(call.result, result)
            }
            Call::Munmap { address, length } => {
                done(engine.munmap(pid, names.address(address), length))
            }
            Call::Mremap {
                result: name,
                address,
                old_length,
                new_length,
                flags,
                new_address,
            } => {
                let result = engine.mremap(
                    pid,
                    names.address(address),
                    old_length,
                    new_length,
                    convert::remap_flags(flags),
                    new_address.map_or(0, |address| names.address(address)),
                );
                self.bind_address(name, result)
            }
            Call::Load { address, length } => {
                let address = names.address(address);
                let result = engine.load(pid, address, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::Store { address, data } => {
                done(engine.store(pid, names.address(address), convert::source(&data)))
            }
            Call::Open {
                result: name,
                ref path,
                flags,
            } => {
                let result = engine.open(pid, &path.0, convert::open_flags(flags));
                convert::outcome(result, |fd| {
                    names.bind_fd(process, name, fd);
                    Value::Done
                })
            }
            Call::Pipe { reading, writing } => convert::outcome(engine.pipe(pid), |ends| {
                names.bind_fd(process, reading, ends.0);
                names.bind_fd(process, writing, ends.1);
                Value::Done
            }),
            Call::Socket { result } => convert::outcome(engine.socket(pid), |fd| {
                names.bind_fd(process, result, fd);
                Value::Done
            }),
            Call::Close(descriptor) => {
                let result = engine.close(pid, names.fd(process, descriptor));
                if result.is_ok() {
                    names.bind_fd(process, descriptor, CLOSED);
                }
                done(result)
            }
            Call::Dup { result, descriptor } => {
                convert::outcome(engine.dup(pid, names.fd(process, descriptor)), |fd| {
                    names.bind_fd(process, result, fd);
                    Value::Done
                })
            }
            Call::Read {
                descriptor,
                offset,
                length,
            } => {
                let fd = names.fd(process, descriptor);
                let result = engine.read(pid, fd, offset, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::Write {
                descriptor,
                offset,
                data,
            } => {
                let fd = names.fd(process, descriptor);
                let source = convert::source(&data);
                convert::outcome(engine.write(pid, fd, offset, source), Value::Count)
            }
            Call::Ftruncate { descriptor, length } => {
                done(engine.ftruncate(pid, names.fd(process, descriptor), length))
            }
            Call::Truncate { ref path, length } => done(engine.truncate(pid, &path.0, length)),
            Call::Unlink(ref path) => done(engine.unlink(pid, &path.0)),
            Call::Fork { result } => {
                let made = engine.fork(pid);
                self.bind_child(process, result, made)
            }
            Call::Vfork { result } => {
                let made = engine.vfork(pid);
                self.bind_child(process, result, made)
            }
            Call::Clone {
                result,
                shares_memory,
            } => {
                let made = engine.clone_process(pid, shares_memory);
                self.bind_child(process, result, made)
            }
            Call::Exec { ref path, stack } => done(engine.exec(pid, &path.0, stack)),
            Call::Exit => done(engine.exit(pid)),
            Call::PtraceAttach(tracee) => done(engine.ptrace_attach(pid, names.pid(tracee))),
            Call::PtraceDetach(tracee) => done(engine.ptrace_detach(pid, names.pid(tracee))),
            Call::PtracePeek {
                process: tracee,
                address,
                length,
            } => {
                let (tracee, address) = (names.pid(tracee), names.address(address));
                let result = engine.ptrace_peek(pid, tracee, address, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::PtracePoke {
                process: tracee,
                address,
                data,
            } => {
                let (tracee, address) = (names.pid(tracee), names.address(address));
                let source = convert::source(&data);
                let result = engine.ptrace_poke(pid, tracee, address, source);
                convert::outcome(result, Value::Count)
            }
            Call::Shmget {
                result,
                key,
                size,
                flags,
            } => {
                let found = engine.shmget(pid, key, size, convert::segment_flags(flags));
                let place = usize::from(result.0);
                let number = found.unwrap_or(NO_SEGMENT);
                put(&mut names.segments, place, number, NO_SEGMENT);
                convert::outcome(found, |_| Value::Done)
            }
            Call::Shmat {
                result: name,
                segment,
                read_only,
            } => {
                let result = engine.shmat(pid, names.segment(segment), read_only);
                self.bind_address(name, result)
            }
            Call::Shmdt(address) => done(engine.shmdt(pid, names.address(address))),
            Call::ShmRemove(segment) => done(engine.shm_remove(pid, names.segment(segment))),
            Call::ShmStat(segment) => {
                let result = engine.shm_stat(pid, names.segment(segment));
                convert::outcome(result, |view| Value::Segment {
                    size: view.size,
                    attached: u64::from(view.attached),
                })
            }
            Call::FutexWait { address, expected } => {
                done(engine.futex_wait(pid, names.address(address), expected))
            }
            Call::FutexWake { address, count } => {
                let result = engine.futex_wake(pid, names.address(address), count);
                convert::outcome(result, |woken| Value::Count(u64::from(woken)))
            }
            Call::SystemMaps { chunk } => {
                let engine = &*engine;
                let entries = engine.regions().count();
                let read =
                    |position: &mut _, bytes: &mut _| engine.read_system_maps(position, bytes);
                match maps::read(&mut self.bytes, chunk, entries, read) {
                    Ok(lines) => Outcome::Ok(Value::Regions(
                        lines.into_iter().map(maps::region).collect(),
                    )),
                    Err(outcome) => outcome,
                }
            }
            Call::ProcessMaps {
                process: whose,
                chunk,
            } => {
                let engine = &*engine;
                let whose = names.pid(whose);
                let entries = engine.mappings(whose).count();
                let read = |position: &mut _, bytes: &mut _| {
                    engine.read_process_maps(whose, position, bytes)
                };
                match maps::read(&mut self.bytes, chunk, entries, read) {
                    Ok(lines) => Outcome::Ok(Value::Mappings(lines)),
                    Err(outcome) => outcome,
                }
            }
            Call::Unsupported {
                call,
                address,
                length,
            } => {
                let address = names.address(address);
                done(match call {
                    UnsupportedCall::Mprotect => engine.mprotect(pid, address, length),
                    UnsupportedCall::Msync => engine.msync(pid, address, length),
                    UnsupportedCall::Mlock => engine.mlock(pid, address, length),
                    UnsupportedCall::Madvise => engine.madvise(pid, address, length),
                    UnsupportedCall::Mincore => engine.mincore(pid, address, length),
                })
            }
        }
    }

    fn bind_address(&mut self, name: MappingName, result: Result<u64>) -> Outcome {
        let place = usize::from(name.0);
        put(&mut self.names.mappings, place, result.unwrap_or(0), 0);
        convert::outcome(result, Value::Address)
    }

    fn bind_child(&mut self, parent: Process, child: Process, result: Result<Pid>) -> Outcome {
        convert::outcome(result, |pid| {
            self.names.bind_child(parent, child, pid);
            Value::Done
        })
    }

    fn bytes(&mut self, result: Result<()>) -> Outcome {
        convert::outcome(result, |()| Value::Bytes(self.bytes.clone()))
    }
}

fn done(result: Result<()>) -> Outcome {
    convert::outcome(result, |()| Value::Done)
}
