//! Where an initramfs says things: the kernel's log, which the console shows and `dmesg` keeps.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

const KMSG: &str = "/dev/kmsg";
/// Levels of the kernel: what is fatal shows with `quiet`, too.
const FATAL: u8 = 2;
const WARNING: u8 = 4;
const INFO: u8 = 6;
const DEBUG: u8 = 7;

/// The kernel's log.
pub struct Console(Option<File>);

impl Console {
    /// Where it cannot be had, nothing is said.
    pub fn open() -> Self {
        // Otherwise the kernel drops what comes after ten lines.
        let _ = fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
        Self(OpenOptions::new().write(true).open(KMSG).ok())
    }

    pub fn warn(&mut self, what: &dyn Display) {
        self.say(WARNING, &format_args!("warning: {what}"));
    }

    pub fn fatal(&mut self, what: &dyn Display) {
        self.say(FATAL, &format_args!("fatal: {what}; restarting"));
    }

    /// A record is what one write has written.
    fn say(&mut self, level: u8, what: &dyn Display) {
        if let Some(file) = &mut self.0 {
            let _ = file.write_all(format!("<{level}>initrd: {what}\n").as_bytes());
        }
    }
}

/// For reports, which write whole lines: what went well is only counted, in the last one, and a
/// module without a device is nobody's fault.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if !line.contains(" → ") {
            let level = if line.contains(": info: ") { DEBUG } else { INFO };
            self.say(level, &line.trim_end());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
