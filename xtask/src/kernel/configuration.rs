//! Which kernel is built: our own list of switches on top of the kernel's own default.

/// The kernel's default that the switches are put on top of.
pub const BASE: &str = "nommu_virt_defconfig";

/// One switch, and what it is wanted for.
pub struct Switch {
    /// Its name, without `CONFIG_`.
    pub name: &'static str,
    /// What it is set to.
    pub value: Value,
}

/// What a switch is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Built in.
    On,
    /// Left out.
    Off,
    /// A number.
    Number(u32),
}

const fn on(name: &'static str) -> Switch {
    Switch {
        name,
        value: Value::On,
    }
}

const fn off(name: &'static str) -> Switch {
    Switch {
        name,
        value: Value::Off,
    }
}

const fn number(name: &'static str, value: u32) -> Switch {
    Switch {
        name,
        value: Value::Number(value),
    }
}

/// What the document talks about, what the objects of a trace need, and what makes a kernel
/// say more when it goes wrong.
pub const SWITCHES: &[Switch] = &[
    // The machine: one processor, so that one run is like another.
    off("MMU"),
    off("SMP"),
    off("CMDLINE_FORCE"),
    on("CMDLINE_FALLBACK"),
    // What the document speaks of.
    on("SYSVIPC"),
    on("FUTEX"),
    on("BINFMT_FLAT"),
    on("PROC_FS"),
    on("PROC_SYSCTL"),
    on("DEVMEM"),
    number("NOMMU_INITIAL_TRIM_EXCESS", 1),
    // Objects: block devices, flash, file systems that can and cannot be mapped directly.
    on("BLK_DEV_INITRD"),
    on("BLK_DEV_RAM"),
    number("BLK_DEV_RAM_COUNT", 1),
    number("BLK_DEV_RAM_SIZE", 16),
    on("BLK_DEV_LOOP"),
    on("EXT2_FS"),
    on("MTD"),
    on("MTD_BLOCK"),
    on("MTD_CMDLINE_PARTS"),
    on("MTD_MTDRAM"),
    number("MTDRAM_TOTAL_SIZE", 128),
    number("MTDRAM_ERASE_SIZE", 4),
    on("MISC_FILESYSTEMS"),
    on("ROMFS_FS"),
    on("ROMFS_BACKED_BY_MTD"),
    on("CRAMFS"),
    on("CRAMFS_MTD"),
    on("DEVTMPFS"),
    on("NET"),
    on("UNIX"),
    on("EVENTFD"),
    on("ADVISE_SYSCALLS"),
    // Words of its own: a kernel that checks itself, and names what it complains of.
    on("PRINTK"),
    on("BUG"),
    on("KALLSYMS"),
    on("DEBUG_KERNEL"),
    on("DEBUG_NOMMU_REGIONS"),
    on("DEBUG_FS"),
    on("DEBUG_LIST"),
    // What is given back twice shows where it happens, when the kernel is told to look.
    off("SLOB"),
    on("SLUB"),
    off("SLUB_TINY"),
    on("SLUB_DEBUG"),
    on("POWER_RESET"),
    on("POWER_RESET_SYSCON_POWEROFF"),
    // Sleeps as short as they are asked for: a tick takes as long as a hundred operations.
    on("HIGH_RES_TIMERS"),
    on("NO_HZ_IDLE"),
    // Time to build and to boot.
    off("VIRTIO_BLK"),
    off("INET"),
    off("WIRELESS"),
    off("ETHERNET"),
    off("DEBUG_INFO"),
];

/// The switch that lines 141-142 speak of. Both kinds of kernel are built.
pub const UNINITIALIZED: &str = "MMAP_ALLOW_UNINITIALIZED";

/// The switches as the kernel's configuration writes them, to be read after its default.
pub fn text(uninitialized: bool) -> String {
    let mut text: String = SWITCHES.iter().map(Switch::line).collect();
    text.push_str(&variant(uninitialized).line());
    text
}

fn variant(uninitialized: bool) -> Switch {
    match uninitialized {
        true => on(UNINITIALIZED),
        false => off(UNINITIALIZED),
    }
}

/// The switches that a final configuration does not have as they are wanted, a sentence each.
/// A switch that was wanted off and that this kernel does not know is off.
pub fn differences(configuration: &str, uninitialized: bool) -> Vec<String> {
    let last = [variant(uninitialized)];
    (SWITCHES.iter().chain(&last))
        .filter_map(|switch| {
            let found = value_of(configuration, switch.name);
            let wanted = match switch.value {
                Value::On => Some("y".to_string()),
                Value::Off => None,
                Value::Number(number) => Some(number.to_string()),
            };
            (found != wanted).then(|| {
                let words = |value: &Option<String>| match value {
                    Some(value) => format!("`{value}`"),
                    None => "off".to_string(),
                };
                format!(
                    "CONFIG_{}: found {}, expected {}",
                    switch.name,
                    words(&found),
                    words(&wanted)
                )
            })
        })
        .collect()
}

/// What a configuration sets a switch to.
fn value_of(configuration: &str, name: &str) -> Option<String> {
    configuration
        .lines()
        .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_string())
}

impl Switch {
    fn line(&self) -> String {
        match self.value {
            Value::On => format!("CONFIG_{}=y\n", self.name),
            Value::Off => format!("# CONFIG_{} is not set\n", self.name),
            Value::Number(number) => format!("CONFIG_{}={number}\n", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{differences, text};

    #[test]
    fn what_is_asked_for_has_no_differences() {
        for uninitialized in [false, true] {
            assert_eq!(
                differences(&text(uninitialized), uninitialized),
                [""; 0],
                "{uninitialized}"
            );
        }
    }

    #[test]
    fn a_switch_that_did_not_take_effect_is_named() {
        let configuration = text(true)
            .replace("CONFIG_SYSVIPC=y\n", "")
            .replace("# CONFIG_SMP is not set\n", "CONFIG_SMP=y\n")
            .replace("_RAM_SIZE=16\n", "_RAM_SIZE=4096\n");
        assert_eq!(
            differences(&configuration, true),
            [
                "CONFIG_SMP: found `y`, expected off",
                "CONFIG_SYSVIPC: found off, expected `y`",
                "CONFIG_BLK_DEV_RAM_SIZE: found `4096`, expected `16`",
            ]
        );
        assert_eq!(
            differences(&text(true), false),
            ["CONFIG_MMAP_ALLOW_UNINITIALIZED: found `y`, expected off"]
        );
    }
}
