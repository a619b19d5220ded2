//! login1: see the library. Without a verb it is the daemon.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use login1::Error;
use login1::daemon::Daemon;
use login1::lock::Lock;
use login1::node::now_us;
use login1::prepare::{Order, cancel, note_boot, prepare, seconds};
use login1::store::Store;

const USAGE: &str = "usage: login1 [VERB] [OPTION...]

Without a verb: gives out locks that delay a shutdown, as logind does, on /run/cooper/login1
(DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/cooper/login1).
  --delay-max TIME         what holders are told that a lock delays at most (20m)

inhibitors                 who holds a lock
  --json                   as JSON

prepare-for-shutdown       tells the holders that the node goes down, and waits for them
  --timeout TIME           how long at most (5m); of what is left until the node goes down in any
                           case, a third is kept for what stops later, but no more than 2m
  --force                  also if it does not go down: a rehearsal; then `cancel-shutdown`
  --record FILE            where what came of it is written
cancel-shutdown            takes that back
note-boot                  a boot begins: keeps how the last one ended
  --record FILE

TIME is a number with s, m or h. COOPER_RUN names another place than /run/cooper.
Exit status: 0, also if somebody did not let go; 1: it could not be done; 100: wrong usage;
111: the daemon cannot begin.
";

const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 100;
const EXIT_SYSTEM: u8 = 111;

const DELAY_MAX_US: u64 = 20 * 60 * 1_000_000;
const PATIENCE_US: u64 = 5 * 60 * 1_000_000;

/// The options, whichever verb they are for.
#[derive(Debug, Default)]
struct Options {
    delay_max_us: Option<u64>,
    patience_us: Option<u64>,
    record: Option<PathBuf>,
    force: bool,
    json: bool,
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).peekable();
    let is_verb = |word: &OsString| !word.as_encoded_bytes().starts_with(b"-");
    let verb = arguments.next_if(is_verb).and_then(|verb| verb.into_string().ok());
    if arguments.peek().is_some_and(|option| option == "--help") {
        print(USAGE);
        return ExitCode::SUCCESS;
    }
    let Some(options) = parse(arguments) else { return usage() };
    let run = env::var_os("COOPER_RUN").map_or_else(|| wire::paths::RUN.into(), PathBuf::from);
    let record = options.record.clone();
    let record = record.unwrap_or_else(|| wire::paths::LAST_SHUTDOWN.into());
    let outcome = match verb.as_deref() {
        None => return serve(&run, options.delay_max_us.unwrap_or(DELAY_MAX_US)),
        Some("inhibitors") => list(&run, options.json),
        Some("prepare-for-shutdown") => prepare(&Order {
            run,
            record,
            patience_us: options.patience_us.unwrap_or(PATIENCE_US),
            force: options.force,
        }),
        Some("cancel-shutdown") => cancel(&run),
        Some("note-boot") => {
            note_boot(&record);
            Ok(())
        }
        Some(_) => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, EXIT_FAILED),
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Options> {
    let mut options = Options::default();
    while let Some(option) = arguments.next() {
        match option.to_str()? {
            "--delay-max" => options.delay_max_us = Some(time(arguments.next()?.to_str()?)?),
            "--timeout" => options.patience_us = Some(time(arguments.next()?.to_str()?)?),
            "--record" => options.record = Some(arguments.next()?.into()),
            "--force" => options.force = true,
            "--json" => options.json = true,
            _ => return None,
        }
    }
    Some(options)
}

/// `90s`, `5m`, `1h`; in microseconds.
fn time(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)
}

fn serve(run: &Path, delay_max_us: u64) -> ExitCode {
    match Daemon::new(run, delay_max_us) {
        Ok(daemon) => daemon.run(),
        Err(error) => fail(&error, EXIT_SYSTEM),
    }
}

fn list(run: &Path, json: bool) -> Result<(), Error> {
    let held = Store::new(run).held()?;
    let locks: Vec<&Lock> = held.iter().map(|held| &held.lock).collect();
    if json {
        let text = serde_json::to_string_pretty(&locks);
        print(&format!("{}\n", text.map_err(|e| Error::system("write JSON", e))?));
        return Ok(());
    }
    for lock in locks {
        let age = seconds(now_us().saturating_sub(lock.since_us) / 1000);
        let Lock { who, pid, what, why, .. } = lock;
        print(&format!("{who} (process {pid}) delays {what}, since {age}: {why}\n"));
    }
    Ok(())
}

/// A reader that has gone away is no failure.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn usage() -> ExitCode {
    use std::io::Write;
    let _ = std::io::stderr().write_all(USAGE.as_bytes());
    ExitCode::from(EXIT_USAGE)
}

fn fail(error: &Error, status: u8) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "login1: fatal: {error}");
    ExitCode::from(status)
}
