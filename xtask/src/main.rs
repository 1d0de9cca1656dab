//! What maintainers run: coverage, fault scoring, the kernel image, everything CI does.
fn main() {}
