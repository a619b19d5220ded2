//! Loading modules: each after those that it needs, and otherwise at the same time.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};

use rustix::io::Errno;

use super::unpack::{self, Packing};

/// One module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub module: String,
    /// How.
    pub how: How,
    /// Its parameters.
    pub options: String,
    /// The jobs that come before this one, by their place in the list.
    pub needs: Vec<usize>,
}

/// How a module gets into the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// From its file.
    File(PathBuf),
    /// By a command that the administrator has set (`install` in modprobe.d).
    Command(String),
}

/// `MODULE_INIT_COMPRESSED_FILE` of linux/module.h.
const COMPRESSED: i32 = 4;

/// Puts a module into the kernel. `kernel_unpacks` is what `/sys/module/compression` says.
///
/// # Errors
/// What is wrong, for people.
pub fn insert(job: &Job, kernel_unpacks: Option<&str>) -> Result<(), String> {
    let path = match &job.how {
        How::File(path) => path,
        How::Command(command) => return run(command, &job.module),
    };
    let options = CString::new(job.options.as_str()).map_err(|error| error.to_string())?;
    let packing = Packing::of(path).kernel_name();
    let result = match packing {
        Some(name) if kernel_unpacks != Some(name) => {
            unpack::read(path).and_then(|image| Ok(rustix::system::init_module(&image, &options)?))
        }
        packing => File::open(path).and_then(|file| {
            let flags = if packing.is_some() { COMPRESSED } else { 0 };
            Ok(rustix::system::finit_module(&file, &options, flags)?)
        }),
    };
    match result {
        // Something else was faster.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::EXIST) => Ok(()),
        Err(error) => Err(explain(path, &error)),
        Ok(()) => Ok(()),
    }
}

fn run(command: &str, module: &str) -> Result<(), String> {
    let mut shell = Command::new("/bin/sh");
    let status = shell.args(["-c", command]).env("MODPROBE_MODULE", module).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{command}`, which modprobe.d has for it, ended: {status}")),
        Err(error) => Err(format!("cannot run `{command}`, which modprobe.d has for it: {error}")),
    }
}

/// The kernel has few error numbers, and means something of its own by each.
fn explain(path: &Path, error: &io::Error) -> String {
    let reason = match Errno::from_io_error(error) {
        Some(Errno::NOENT) if path.exists() => {
            "it needs something that this kernel has not; does it belong to another?"
        }
        Some(Errno::NOEXEC) => "it is not for this kernel",
        Some(Errno::NODEV | Errno::NXIO) => "its device is not there",
        Some(Errno::PERM) => {
            "the kernel loads no more (kernel.modules_disabled), is locked down, or was told not \
             to (module_blacklist=)"
        }
        Some(Errno::KEYREJECTED | Errno::NOKEY) => "the kernel does not accept its signature",
        Some(_) | None => "",
    };
    match reason {
        "" => error.to_string(),
        reason => format!("{reason} ({error})"),
    }
}

/// What is to do yet.
struct Work {
    /// For each job, how many of those that it needs are not done.
    waits: Vec<usize>,
    ready: Vec<usize>,
    results: Vec<Option<Result<(), String>>>,
    /// So many are being done.
    running: usize,
}

/// Does all jobs, on so many threads; a job of which something fails that it needs is not tried.
/// The results, in the order of the jobs.
pub fn all<F>(jobs: &[Job], threads: usize, insert: F) -> Vec<Result<(), String>>
where
    F: Fn(&Job) -> Result<(), String> + Sync,
{
    let waits: Vec<usize> = jobs.iter().map(|job| job.needs.len()).collect();
    let none = waits.iter().enumerate().filter(|(_, count)| **count == 0);
    // Taken from the end: the first ones first.
    let ready: Vec<usize> = none.map(|(at, _)| at).rev().collect();
    let results = vec![None; jobs.len()];
    let work = Mutex::new(Work { waits, ready, results, running: 0 });
    let changed = Condvar::new();
    let worker = || {
        while let Some(at) = next(&work, &changed) {
            let Some(job) = jobs.get(at) else { return };
            let failed = needed_failed(&work, job, jobs);
            let result = failed.map_or_else(|| insert(job), Err);
            finish(&work, &changed, jobs, at, result);
        }
    };
    std::thread::scope(|scope| {
        // A thread that cannot be had is done without: this one works, too.
        for _ in 1..threads.min(jobs.len()) {
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    let work = work.into_inner().unwrap_or_else(PoisonError::into_inner);
    let unreached = || Err("it waits for itself".to_owned());
    work.results.into_iter().map(|result| result.unwrap_or_else(unreached)).collect()
}

/// The next job that waits for none; none when there will be none any more.
fn next(work: &Mutex<Work>, changed: &Condvar) -> Option<usize> {
    let mut now = work.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(at) = now.ready.pop() {
            now.running = now.running.saturating_add(1);
            return Some(at);
        }
        if now.running == 0 {
            return None;
        }
        now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
    }
}

fn needed_failed(work: &Mutex<Work>, job: &Job, jobs: &[Job]) -> Option<String> {
    let now = work.lock().unwrap_or_else(PoisonError::into_inner);
    let is_failed = |at: &&usize| matches!(now.results.get(**at), Some(Some(Err(_))));
    let failed = jobs.get(*job.needs.iter().find(is_failed)?)?;
    Some(format!("it needs {}, which could not be loaded", failed.module))
}

fn finish(
    work: &Mutex<Work>,
    changed: &Condvar,
    jobs: &[Job],
    at: usize,
    result: Result<(), String>,
) {
    let mut now = work.lock().unwrap_or_else(PoisonError::into_inner);
    now.running = now.running.saturating_sub(1);
    if let Some(place) = now.results.get_mut(at) {
        *place = Some(result);
    }
    for (other, _) in jobs.iter().enumerate().filter(|(_, job)| job.needs.contains(&at)) {
        let Some(count) = now.waits.get_mut(other) else { continue };
        *count = count.saturating_sub(1);
        if *count == 0 {
            now.ready.push(other);
        }
    }
    changed.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(module: &str, needs: &[usize]) -> Job {
        let (how, options) = (How::File(module.into()), String::new());
        Job { module: module.to_owned(), how, options, needs: needs.to_vec() }
    }

    #[test]
    fn a_module_comes_after_all_that_it_needs() {
        let jobs = [job("a", &[1, 2]), job("b", &[2]), job("c", &[]), job("d", &[])];
        for threads in [1, 2, 4] {
            let order = Mutex::new(Vec::new());
            let results = all(&jobs, threads, |job| {
                order.lock().unwrap().push(job.module.clone());
                Ok(())
            });
            assert!(results.iter().all(Result::is_ok));
            let order = order.into_inner().unwrap();
            let at = |name: &str| order.iter().position(|module| module == name).unwrap();
            assert!(at("c") < at("b") && at("b") < at("a"), "{order:?}");
            assert_eq!(order.len(), 4);
        }
    }

    #[test]
    fn those_that_need_nothing_of_each_other_are_loaded_at_the_same_time() {
        // Each waits until the other has begun, which one after the other could not.
        let barrier = std::sync::Barrier::new(2);
        let results = all(&[job("a", &[]), job("b", &[])], 2, |_| {
            barrier.wait();
            Ok(())
        });
        assert_eq!(results.len(), 2);
    }

    #[test]
    fn what_needs_a_failed_one_is_not_tried_and_says_why() {
        let jobs = [job("a", &[]), job("b", &[0]), job("c", &[1]), job("d", &[])];
        let results = all(&jobs, 2, |job| match job.module.as_str() {
            "a" => Err("broken".to_owned()),
            "d" => Ok(()),
            other => panic!("{other} was tried"),
        });
        assert_eq!(results[0], Err("broken".into()));
        assert_eq!(results[1], Err("it needs a, which could not be loaded".into()));
        assert_eq!(results[2], Err("it needs b, which could not be loaded".into()));
        assert_eq!(results[3], Ok(()));
    }

    #[test]
    fn a_circle_ends_it() {
        let jobs = [job("a", &[1]), job("b", &[0]), job("c", &[])];
        let results = all(&jobs, 2, |_| Ok(()));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    }

    #[test]
    fn the_kernels_numbers_are_explained() {
        let root = Path::new("/");
        for (errno, part) in [
            (Errno::NOENT, "belong to another"),
            (Errno::NOEXEC, "not for this kernel"),
            (Errno::NODEV, "device"),
            (Errno::KEYREJECTED, "signature"),
        ] {
            assert!(explain(root, &errno.into()).contains(part));
        }
        let missing = explain(Path::new("/nonexistent"), &Errno::NOENT.into());
        assert!(missing.starts_with("No such file"), "{missing}");
    }
}
