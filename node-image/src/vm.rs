//! A virtual machine that boots a node, and the way into it.
//!
//! The console is a serial port, kept in a file; text can be typed on it. Commands go to a root
//! shell of the guest over a virtio port of its own (`/dev/vport0p1`, which the guest's service
//! `guest-shell` serves), so nothing is ever read out of the console's text that a program printed
//! for people. QEMU's standard input and output are the other end of that port.
//!
//! Invariant: whatever waits has a deadline, and no machine outlives its `Machine`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::output::beside;

/// How long the kernel alone may take until it finds no root file system, under an accelerator.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// Emulation, with all processors taking turns in one thread: with a thread for each, QEMU 7 now
/// and then runs code that the other has just patched, and the kernel oopses while it boots.
const TCG: &str = "tcg,thread=single";
/// UEFI for QEMU, where Debian has it: the program, and variables to begin with.
const OVMF: (&str, &str) = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd");
const AAVMF: (&str, &str) = ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd");
/// How much of the console an error shows.
const CONSOLE_LINES_SHOWN: usize = 40;
/// What begins the line that ends a command's output: a byte that text does not have, and a word.
const END_OF_COMMAND: &str = "\u{1e}end-of-command";

/// An architecture that can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit x86, as a PC.
    X86_64,
    /// 64-bit Arm, as QEMU's own machine.
    Aarch64,
}

impl Architecture {
    /// That of a kernel image, as its header tells.
    pub fn of_kernel(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        // Both are PE programs for UEFI as well; Documentation/arch/{x86/boot,arm64/booting}.rst.
        let at = |offset: usize| bytes.get(offset..offset.saturating_add(4));
        if at(0x202) == Some(b"HdrS") {
            Ok(Self::X86_64)
        } else if at(0x38) == Some(b"ARM\x64") {
            Ok(Self::Aarch64)
        } else {
            bail!("cannot boot {}: it is neither an x86_64 nor an aarch64 kernel", path.display())
        }
    }

    fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// The machine, and the newest processor that TCG knows for it.
    fn machine(self) -> [&'static str; 4] {
        match self {
            Self::X86_64 => ["-machine", "pc", "-cpu", "max"],
            // With `max`, QEMU 7 spends most of its time on pointer authentication.
            Self::Aarch64 => ["-machine", "virt,gic-version=3", "-cpu", "cortex-a57"],
        }
    }

    /// Words for its kernel. A PC's tries its timer, and panics where none of ten interrupts comes
    /// in time, as under emulation on a busy host; a guest of KVM's leaves that out by itself.
    fn words(self) -> &'static str {
        match self {
            Self::X86_64 => "no_timer_check",
            Self::Aarch64 => "",
        }
    }

    fn console(self) -> &'static str {
        match self {
            Self::X86_64 => "ttyS0",
            Self::Aarch64 => "ttyAMA0",
        }
    }
}

/// How a machine boots.
#[derive(Debug, Clone)]
pub enum Via {
    /// QEMU itself puts a kernel in its memory.
    Kernel {
        /// The kernel.
        kernel: PathBuf,
        /// The initramfs.
        initramfs: PathBuf,
        /// More for the kernel's command line.
        append: String,
    },
    /// iPXE, in the ROM of a PC's network interface, reads `boot.ipxe` and what that names.
    Network {
        /// What `node-image build netboot` has made.
        directory: PathBuf,
    },
    /// UEFI reads it from a disk, and goes on doing so when the machine restarts.
    Firmware {
        /// Of the machine.
        architecture: Architecture,
        /// The firmware: OVMF, AAVMF.
        code: PathBuf,
        /// What it keeps: a copy of its own for each machine.
        variables: PathBuf,
    },
}

/// What to boot, and on what.
#[derive(Debug, Clone)]
pub struct Boot {
    /// How.
    pub via: Via,
    /// Memory.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// More arguments for QEMU.
    pub qemu: Vec<String>,
}

impl Boot {
    /// Boots in the background; the console goes to the file `console`.
    pub fn start(&self, console: &Path) -> Result<Machine> {
        let mut command = self.command()?;
        // What an earlier machine has left in it must not be taken for this one's.
        File::create(console).with_context(|| format!("cannot write {}", console.display()))?;
        let keyboard = keyboard_path();
        command
            .arg("-chardev")
            .arg(format!(
                "socket,id=console,server=on,wait=off,path={},logfile={}",
                quoted(&keyboard),
                quoted(console)
            ))
            .args(["-serial", "chardev:console", "-monitor", "none"])
            .args(["-chardev", "stdio,id=shell,signal=off"])
            .args(["-device", "virtserialport,chardev=shell,nr=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut machine = Machine::new(command, console)?;
        machine.keyboard.path = keyboard;
        Ok(machine)
    }

    /// Boots with the console on this terminal, until the machine is switched off.
    pub fn interact(&self) -> Result<ExitStatus> {
        let mut command = self.command()?;
        command.args(["-serial", "mon:stdio"]);
        command.status().with_context(|| format!("cannot run {command:?}"))
    }

    fn command(&self) -> Result<Command> {
        let mut command = match &self.via {
            Via::Kernel { kernel, initramfs, append } => from_kernel(kernel, initramfs, append)?,
            Via::Network { directory } => from_network(directory)?,
            Via::Firmware { architecture, code, variables } => {
                from_firmware(*architecture, code, variables)
            }
        };
        command
            .args(["-nodefaults", "-display", "none"])
            .args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()])
            // The first virtio device, as its number becomes part of its port's name.
            .args(["-device", "virtio-serial", "-device", "virtio-rng-pci"])
            .args(&self.qemu);
        Ok(command)
    }
}

/// UEFI for a disk's architecture, with variables of its own beside it: `DISK.variables`.
///
/// # Errors
///
/// It is not installed: the package.
pub fn firmware(disk: &Path, architecture: Architecture) -> Result<Via> {
    let (code, template) = match architecture {
        Architecture::X86_64 => OVMF,
        Architecture::Aarch64 => AAVMF,
    };
    let [code, template] = [code, template].map(PathBuf::from);
    if !code.exists() || !template.exists() {
        bail!(
            "cannot find {}: install UEFI for QEMU (Debian: ovmf, qemu-efi-aarch64)",
            code.display()
        );
    }
    let variables = beside(disk, ".variables");
    fs::copy(template, &variables)
        .with_context(|| format!("cannot write {}", variables.display()))?;
    Ok(Via::Firmware { architecture, code, variables })
}

/// A path among QEMU's options, which commas separate.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn from_kernel(kernel: &Path, initramfs: &Path, append: &str) -> Result<Command> {
    let architecture = Architecture::of_kernel(kernel)?;
    let mut command = Command::new(architecture.qemu());
    command
        .args(architecture.machine())
        .args(["-accel", accelerator(architecture, kernel), "-no-reboot"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .arg("-append")
        .arg(format!(
            "console={} panic=-1 {} {append}",
            architecture.console(),
            architecture.words(),
        ));
    Ok(command)
}

/// Served by QEMU's own network, which the node then has as well.
fn from_network(directory: &Path) -> Result<Command> {
    let kernel = directory.join("kernel");
    let architecture = Architecture::of_kernel(&kernel)?;
    if architecture != Architecture::X86_64 {
        bail!("cannot boot {}: QEMU's iPXE is for x86_64", directory.display());
    }
    let served = quoted(directory);
    let mut command = Command::new(architecture.qemu());
    command
        .args(architecture.machine())
        .args(["-accel", accelerator(architecture, &kernel), "-no-reboot", "-boot", "n"])
        // Behind the first virtio device, which is another.
        .args(["-device", "virtio-net-pci,netdev=net,addr=0x10", "-netdev"])
        .arg(format!("user,id=net,tftp={served},bootfile=boot.ipxe"));
    Ok(command)
}

/// Emulated: whether an accelerator boots a kernel is tried with one, and here is none.
fn from_firmware(architecture: Architecture, code: &Path, variables: &Path) -> Command {
    let mut command = Command::new(architecture.qemu());
    command.args(architecture.machine()).args(["-accel", TCG]);
    for (path, readonly) in [(code, "on"), (variables, "off")] {
        let path = quoted(path);
        command.arg("-drive").arg(format!("if=pflash,format=raw,readonly={readonly},file={path}"));
    }
    command
}

/// Arguments for QEMU that give the machine a disk: the next of `/dev/vda`, `/dev/vdb`, …
#[must_use]
pub fn disk(path: &Path) -> Vec<String> {
    // What the guest has flushed need not be flushed here: a test ends with the machine.
    let path = quoted(path);
    vec!["-drive".into(), format!("if=virtio,format=raw,cache=unsafe,file={path}")]
}

/// A machine that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Machine {
    qemu: Child,
    shell: ChildStdin,
    lines: Receiver<String>,
    console: PathBuf,
    keyboard: Keyboard,
    /// Commands that were run: one that was given up may still end while another is waited for.
    commands: u32,
}

/// The other end of the console: a socket of QEMU's.
#[derive(Debug, Default)]
struct Keyboard {
    path: PathBuf,
    stream: Option<UnixStream>,
}

/// What became of a command in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What it exited with.
    pub status: i32,
    /// What it wrote, to standard output and standard error.
    pub text: String,
}

impl Machine {
    fn new(mut command: Command, console: &Path) -> Result<Self> {
        let mut qemu = command.spawn().with_context(|| {
            format!("cannot run {}: is it installed?", command.get_program().to_string_lossy())
        })?;
        let (Some(shell), Some(output)) = (qemu.stdin.take(), qemu.stdout.take()) else {
            bail!("cannot reach the machine: QEMU has no standard input and output");
        };
        // A pipe cannot be read with a deadline, a channel can. The thread ends with QEMU.
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let keyboard = Keyboard::default();
        Ok(Self { qemu, shell, lines, console: console.to_owned(), keyboard, commands: 0 })
    }

    /// Runs a line of shell as root in the guest, with nothing to read, and waits until it ends.
    /// The first one waits for the guest to come so far that it serves the port.
    pub fn run(&mut self, command: &str, timeout: Duration) -> Result<Output> {
        let deadline = deadline(timeout);
        self.commands = self.commands.wrapping_add(1);
        let end = format!("{END_OF_COMMAND} {} ", self.commands);
        let script = format!("{{ {command}\n}} < /dev/null 2>&1; echo \"{end}$?\"\n");
        self.shell
            .write_all(script.as_bytes())
            .and_then(|()| self.shell.flush())
            .with_context(|| self.lost(command))?;
        let mut text = String::new();
        loop {
            let line = match self.lines.recv_timeout(left(deadline)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!(
                    "cannot finish `{command}` in the machine: it took longer than {timeout:?}; \
                     so far: {text:?}\n{}",
                    self.console_tail()
                ),
                Err(RecvTimeoutError::Disconnected) => bail!(self.lost(command)),
            };
            // The last line of an output need not end in a newline.
            if let Some((rest, status)) = line.split_once(&end) {
                text.push_str(rest);
                let status = status
                    .trim()
                    .parse()
                    .with_context(|| format!("cannot tell how `{command}` ended"))?;
                return Ok(Output { status, text });
            }
            // Another's end: all of this was its output.
            match line.contains(END_OF_COMMAND) {
                true => text.clear(),
                false => text.push_str(&line),
            }
        }
    }

    /// Like `run`, where anything but success is an error.
    pub fn succeed(&mut self, command: &str, timeout: Duration) -> Result<String> {
        let output = self.run(command, timeout)?;
        if output.status != 0 {
            bail!("`{command}` failed in the machine: status {}: {}", output.status, output.text);
        }
        Ok(output.text)
    }

    /// Sends a line to the shell and does not wait for what becomes of it: for what ends the
    /// machine.
    pub fn send(&mut self, command: &str) -> Result<()> {
        self.shell
            .write_all(format!("{command}\n").as_bytes())
            .and_then(|()| self.shell.flush())
            .with_context(|| self.lost(command))
    }

    /// Types on the console. What it shows goes to its file as ever.
    pub fn type_on_console(&mut self, text: &str) -> Result<()> {
        let keyboard = &mut self.keyboard;
        let stream = match keyboard.stream.take() {
            Some(stream) => stream,
            None => open_keyboard(&keyboard.path).context("cannot reach the console")?,
        };
        keyboard.stream.insert(stream).write_all(text.as_bytes()).context("cannot type")
    }

    /// Waits until the machine has switched itself off. That it panicked or restarted is an error.
    pub fn wait_poweroff(mut self, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        loop {
            match self.lines.recv_timeout(left(deadline)) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!(
                    "the machine did not switch itself off within {timeout:?}\n{}",
                    self.console_tail()
                ),
            }
        }
        let status = self.qemu.wait().context("cannot wait for QEMU")?;
        // QEMU ends with success whether the guest was switched off, restarted or panicked.
        if !status.success() || !self.console_text().contains("reboot: Power down") {
            bail!("the machine ended, but not by switching itself off\n{}", self.console_tail());
        }
        Ok(())
    }

    /// All that the console has shown so far.
    #[must_use]
    pub fn console_text(&self) -> String {
        fs::read(&self.console)
            .map(|bytes| String::from_utf8_lossy(&bytes).replace('\r', ""))
            .unwrap_or_default()
    }

    /// The file that the console goes to.
    #[must_use]
    pub fn console_path(&self) -> &Path {
        &self.console
    }

    fn console_tail(&self) -> String {
        let text = self.console_text();
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(CONSOLE_LINES_SHOWN);
        format!("the console's last lines:\n{}", lines.get(first..).unwrap_or_default().join("\n"))
    }

    fn lost(&self, command: &str) -> String {
        format!("cannot run `{command}`: the machine is gone\n{}", self.console_tail())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Errors mean that it has ended by itself.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let _ = fs::remove_file(&self.keyboard.path);
    }
}

/// A path of its own: one of a socket must be short.
fn keyboard_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("node-image-{}-{number}", std::process::id()))
}

/// What the console shows comes along, and must be read or the guest would wait to be.
fn open_keyboard(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    let mut shown = stream.try_clone()?;
    // The thread ends with QEMU.
    thread::spawn(move || io::copy(&mut shown, &mut io::sink()));
    Ok(stream)
}

fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// KVM where it works. That the device is there does not say so: under nested virtualisation QEMU
/// may fail to set a register, or the guest may hang. So the kernel is booted by itself, until it
/// has panicked for want of a root.
fn accelerator(architecture: Architecture, kernel: &Path) -> &'static str {
    let native = match architecture {
        Architecture::X86_64 => cfg!(target_arch = "x86_64"),
        Architecture::Aarch64 => cfg!(target_arch = "aarch64"),
    };
    let device = File::options().read(true).write(true).open("/dev/kvm");
    if native && device.is_ok() && kvm_boots(architecture, kernel) { "kvm" } else { TCG }
}

fn kvm_boots(architecture: Architecture, kernel: &Path) -> bool {
    let mut command = Command::new(architecture.qemu());
    command
        .args(architecture.machine())
        .args(["-accel", "kvm", "-nodefaults", "-no-reboot", "-display", "none", "-m", "256"])
        .args(["-serial", "stdio"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-append")
        .arg(format!("console={} panic=-1", architecture.console()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let Ok(machine) = Machine::new(command, Path::new("/dev/null")) else { return false };
    let deadline = deadline(PROBE_TIMEOUT);
    while let Ok(line) = machine.lines.recv_timeout(left(deadline)) {
        if line.contains("Unable to mount root fs") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A "machine" that is a shell on this one: the protocol is the same.
    fn shell() -> Machine {
        let mut command = Command::new("sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Machine::new(command, Path::new("/dev/null")).unwrap()
    }

    const SHORT: Duration = Duration::from_secs(20);

    #[test]
    fn a_command_gives_its_output_and_status() {
        let mut machine = shell();
        let output = machine.run("echo one; echo two >&2; (exit 3)", SHORT).unwrap();
        assert_eq!(output, Output { status: 3, text: "one\ntwo\n".into() });
        let output = machine.run("printf 'no newline'", SHORT).unwrap();
        assert_eq!(output, Output { status: 0, text: "no newline".into() });
    }

    #[test]
    fn a_command_cannot_eat_the_next_one() {
        let mut machine = shell();
        assert_eq!(machine.succeed("cat", SHORT).unwrap(), "");
        assert_eq!(machine.succeed("echo next", SHORT).unwrap(), "next\n");
    }

    #[test]
    fn a_command_that_does_not_end_is_given_up() {
        let error = shell().run("exec sleep 1000", Duration::from_millis(10)).unwrap_err();
        assert!(error.to_string().starts_with("cannot finish `exec sleep 1000`"), "{error}");
    }

    #[test]
    fn the_end_of_a_command_that_was_given_up_is_not_the_next_ones() {
        let mut machine = shell();
        let given_up = machine.run("read word < /dev/stdin; echo late", Duration::ZERO);
        assert!(given_up.is_err());
        assert_eq!(machine.succeed("echo next", SHORT).unwrap(), "next\n");
    }

    #[test]
    fn a_machine_that_ends_early_is_an_error() {
        let error = shell().run("exit 0", SHORT).unwrap_err();
        assert!(error.to_string().contains("the machine is gone"), "{error}");
        assert!(shell().wait_poweroff(Duration::ZERO).is_err());
    }
}
