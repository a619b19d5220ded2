//! What the graph says about each log.

use std::{collections::BTreeMap, fs, io, rc::Rc};

use cooper_log::Limits;
use graph::{Kind, LogSpec, View};

use super::{Failed, Paths};

/// How one service's output is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) rate_max: u32,
    pub(super) timestamps: bool,
    /// When neither disk nor FIFO can take more, the service waits.
    pub(super) block: bool,
}

impl Settings {
    fn new(spec: &LogSpec) -> Self {
        Self {
            limits: Limits::new(spec.file_size_max, spec.files_max, spec.age_max_s, spec.quota),
            rate_max: spec.rate_max,
            timestamps: spec.timestamps,
            block: spec.block,
        }
    }
}

/// Settings by service. Most services of a node share theirs.
pub(super) struct Specs {
    named: BTreeMap<Box<str>, Rc<Settings>>,
    unclaimed: Rc<Settings>,
}

impl Specs {
    /// For logs that no service claims: the catch-all, and services that were removed while they
    /// still ran. The same as the defaults of `docs/services.md`.
    pub(super) fn unclaimed() -> Self {
        let mebibyte = 1024 * 1024;
        let limits = Limits::new(4 * mebibyte, 7, 0, 32 * mebibyte);
        let settings = Settings { limits, rate_max: 0, timestamps: true, block: false };
        Self { named: BTreeMap::new(), unclaimed: Rc::new(settings) }
    }

    /// Reads `RUN/graph`; without one, everything is unclaimed.
    pub(super) fn read(paths: &Paths) -> Result<Self, Failed> {
        let mut specs = Self::unclaimed();
        let path = paths.graph();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(specs),
            Err(e) => return Err(Failed::to("read", &path)(e)),
        };
        // Its own text names no file.
        let broken = |e: graph::DecodeError| {
            let text = e.to_string();
            io::Error::other(text.trim_start_matches("cannot read the graph: ").to_owned())
        };
        let view = View::open(&bytes).map_err(|e| Failed::to("read", &path)(broken(e)))?;
        let mut last = Rc::clone(&specs.unclaimed);
        for id in view.ids() {
            let service = view.service(id).map_err(|e| Failed::to("read", &path)(broken(e)))?;
            let settings = match &service.kind {
                Kind::Longrun(process) | Kind::Oneshot(process) => Settings::new(&process.log),
                Kind::Bundle(_) => continue,
            };
            if *last != settings {
                last = Rc::new(settings);
            }
            specs.named.insert(service.name.into_boxed_str(), Rc::clone(&last));
        }
        Ok(specs)
    }

    pub(super) fn of(&self, name: &str) -> Rc<Settings> {
        Rc::clone(self.named.get(name).unwrap_or(&self.unclaimed))
    }
}
