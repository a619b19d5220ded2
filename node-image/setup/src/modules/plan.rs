//! Which files to load for a module, in an order that the kernel takes.

use std::collections::HashMap;

use super::catalog::{Catalog, Standing};
use super::config::Softdep;
use super::index::name;
use super::load::{How, Job};
use crate::Root;

/// The jobs so far.
#[derive(Debug)]
pub struct Plan<'a> {
    catalog: &'a Catalog<'a>,
    root: &'a Root,
    /// Each job needs only such as stand before it.
    jobs: Vec<Job>,
    /// Where each module's job is; none while those that it needs are being looked for.
    places: HashMap<String, Option<usize>>,
}

impl<'a> Plan<'a> {
    /// Nothing yet.
    pub fn new(catalog: &'a Catalog<'a>, root: &'a Root) -> Self {
        Self { catalog, root, jobs: Vec::new(), places: HashMap::new() }
    }

    /// The jobs, in order.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Adds a module with all that it needs, unless it is there. The job that loads it.
    pub fn add(&mut self, module: &str, options: &str) -> Option<usize> {
        if let Some(place) = self.places.get(module) {
            return *place;
        }
        if self.catalog.standing(module) != Standing::Loadable {
            return None;
        }
        let line = self.catalog.index.find(module)?;
        self.places.insert(module.to_owned(), None);
        // A circle of soft dependencies leaves out the one that closes it.
        let soft = self.softdeps(module);
        let mut needs: Vec<usize> = soft.pre.iter().filter_map(|name| self.soft(name)).collect();
        for path in line.needs().rev() {
            needs.extend(self.add(&name(path), ""));
        }
        needs.sort_unstable();
        needs.dedup();
        let how = match self.catalog.config.command(module) {
            Some((command, _)) => How::Command(command.to_owned()),
            None => How::File(self.root.path(&self.catalog.file(line))),
        };
        let mut words = vec![options];
        words.extend(self.catalog.config.options_of(module));
        let options = words.join(" ").trim().to_owned();
        let at = self.jobs.len();
        self.jobs.push(Job { module: module.to_owned(), how, options, needs });
        self.places.insert(module.to_owned(), Some(at));
        for name in &soft.post {
            if let Some(job) = self.soft(name).and_then(|post| self.jobs.get_mut(post)) {
                job.needs.push(at);
            }
        }
        Some(at)
    }

    /// What a soft dependency leads to, which may be nothing.
    fn soft(&mut self, name: &str) -> Option<usize> {
        let modules = self.catalog.resolve(name);
        let allowed = modules.iter().filter(|module| self.catalog.forbidden(module).is_none());
        let allowed: Vec<&String> = allowed.collect();
        allowed.into_iter().filter_map(|module| self.add(module, "")).last()
    }

    fn softdeps(&self, module: &str) -> Softdep {
        let mut all = Softdep::default();
        for softdep in self.catalog.config.softdeps.iter().filter(|it| it.module == module) {
            all.pre.extend_from_slice(&softdep.pre);
            all.post.extend_from_slice(&softdep.post);
        }
        all
    }
}
