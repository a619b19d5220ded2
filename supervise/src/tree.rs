//! How a supervisor comes to be in charge: of a tree that is new, or of one that another
//! supervisor has left behind, or of its own under a new graph. It is always the same way.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use engine::{Engine, Request, Saved};
use graph::{DEFAULT_TARGET, RESCUE_SHELL, RESCUE_TARGET, ServiceId, View, encode, rescue};
use mio::{Interest, Poll};
use sys::map::{Frozen, Shared};
use sys::process::Stat;
use sys::spawn::{Kin, Spawner};
use tracing::{info, warn};
use unit::{Alive, Event, Exit, Process};
use wire::link::{FromInit, Hello, Role};
use wire::paths;
use wire::state::{Live, Record, Table, size};

use crate::cgroups::Cgroups;
use crate::conditions::Facts;
use crate::container::{self, Signals};
use crate::control::Control;
use crate::exits::{self, Owner};
use crate::link::Link;
use crate::logger::Logger;
use crate::notify::Notify;
use crate::output::{Outputs, held_name};
use crate::places::{Places, Target, cannot};
use crate::shell::{End, Shell, World};
use crate::sources::{Source, Sources};
use crate::stop::is_same;
use crate::{Fatal, clock, talk};

/// A state table that is being made.
pub const STATE_NEXT: &str = "state.next";
/// Everyone may read it.
pub const STATE_MODE: u16 = 0o644;
/// Everyone may read it, and only its owner may write it, or it would not be mapped.
pub const GRAPH_MODE: u32 = 0o644;
/// The graph on disk that is to be used, and the one before it.
pub const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";

/// Takes charge, and stays in charge until init is gone.
pub fn run(socket: OwnedFd, command: &[String]) -> Result<Infallible, Fatal> {
    let (link, hello) = Link::open(socket)?;
    let mut world = World::open(link, hello, !command.is_empty())?;
    let mut is_first = hello.starts <= 1;
    if is_first || !world.places.below(paths::GRAPH).exists() {
        is_first = true;
        choose_graph(&world.places, command)?;
    }
    // From now on, we must not die.
    loop {
        let path = world.places.below(paths::GRAPH);
        let frozen =
            Frozen::open(&path).map_err(|error| Fatal::Open(path.clone(), error.into()))?;
        // The first one was checked when it was chosen.
        let open = if is_first { View::open_again } else { View::open };
        let view = open(frozen.bytes()).map_err(|error| Fatal::Graph(path, error))?;
        let (state, is_new) = open_state(&world, view, is_first)?;
        let table = Table::open(state.words()).map_err(|error| Fatal::Table(error.to_string()))?;
        let mut shell = take_charge(world, view, table, is_new)?;
        is_first = false;
        match shell.run()? {
            End::Switch => world = shell.switch()?,
        }
    }
}

impl World {
    fn open(mut link: Link, hello: Hello, has_main: bool) -> Result<Self, Fatal> {
        let places = Places::find(hello.role == Role::Machine, has_main);
        talk::choose(places.debug, places.container);
        fs::create_dir_all(&places.run).map_err(|error| Fatal::Make(places.run.clone(), error))?;
        Outputs::make(&places);
        let notify = Notify::open(&mut link, &places)?;
        let control = Control::open(&mut link, &places)?;
        let poll = Poll::new().map_err(Fatal::Poll)?;
        let mut sources = Sources::default();
        let registry = poll.registry();
        let readable = Interest::READABLE;
        sources.watch(registry, &link, Source::Link, readable).map_err(Fatal::Poll)?;
        sources.watch(registry, &notify.socket, Source::Notify, readable).map_err(Fatal::Poll)?;
        sources
            .watch(registry, &control.listener, Source::Listener, readable)
            .map_err(Fatal::Poll)?;
        let world = Self {
            cgroups: Cgroups::open(places.cgroup.as_deref(), hello.role),
            facts: Facts::new(hello.role),
            live: Live { applied: 1, boot_us: hello.boot_us, ..Live::default() },
            spawner: Spawner::new(Kin::Sibling),
            signals: Signals::find(),
            inherited: if places.container { container::inherited() } else { Vec::new() },
            outputs: Outputs::default(),
            names: Default::default(),
            logger: Logger::default(),
            after: Default::default(),
            ended: false,
            knows_watchdog: false,
            places,
            hello,
            poll,
            sources,
            link,
            notify,
            control,
        };
        if !world.places.container {
            world.say_to_log();
        }
        Ok(world)
    }
}

/// The first start: of all graphs that there may be, the first one that can be read is copied to
/// memory, and no disk is touched after that.
fn choose_graph(places: &Places, command: &[String]) -> Result<(), Fatal> {
    let to = places.below(paths::GRAPH);
    for name in [paths::STATE, STATE_NEXT, paths::NEXT] {
        let _ = fs::remove_file(places.below(name));
    }
    let bytes = chosen(places, command);
    sys::file::replace(&to, &bytes, GRAPH_MODE).map_err(|error| Fatal::Make(to, error))
}

fn chosen(places: &Places, command: &[String]) -> Vec<u8> {
    if !command.is_empty() {
        // Whoever compiled a graph for a container has put the command into it.
        let graph = places.graph.as_ref().and_then(|path| fs::read(path).ok());
        let graph = graph.filter(|bytes| View::open(bytes).is_ok_and(|view| has_main(&view)));
        return graph.unwrap_or_else(|| encode(&crate::command::graph(command)));
    }
    let on_disk = [CURRENT, PREVIOUS].map(|name| places.graphs.join(name));
    let candidates: Vec<&Path> = match (&places.target, &places.graph) {
        (Target::Rescue, _) => Vec::new(),
        (_, Some(graph)) => {
            [graph.as_path()].into_iter().chain(on_disk.iter().map(AsRef::as_ref)).collect()
        }
        (_, None) => on_disk.iter().map(AsRef::as_ref).collect(),
    };
    for path in candidates {
        match fs::read(path) {
            Ok(bytes) => match View::open(&bytes) {
                Ok(_) => return bytes,
                Err(error) => warn!("{}", cannot("use", path, error)),
            },
            Err(error) => warn!("{}", cannot("read", path, error)),
        }
    }
    if places.target != Target::Rescue {
        warn!("no graph can be used: starting the built-in rescue graph");
    }
    encode(&rescue())
}

fn has_main(view: &View<'_>) -> bool {
    view.find(container::MAIN).is_some()
}

/// The state table of this graph, and whether it is new.
fn open_state(world: &World, view: View<'_>, is_first: bool) -> Result<(Shared, bool), Fatal> {
    let path = world.places.below(paths::STATE);
    let next = world.places.below(STATE_NEXT);
    let fits = |path: &Path| {
        let shared = Shared::open(path).ok()?;
        let hash = Table::open(shared.words()).ok().map(|table| table.graph_hash());
        (hash == Some(view.hash())).then_some(shared)
    };
    if !is_first {
        if let Some(shared) = fits(&path) {
            return Ok((shared, false));
        }
        // Killed between the two renames that put a new graph in force.
        if let Some(shared) = fits(&next) {
            fs::rename(&next, &path).map_err(|error| Fatal::Make(path, error))?;
            return Ok((shared, false));
        }
        warn!("the state table does not belong to the graph: starting with an empty one");
    }
    let _ = fs::remove_file(&next);
    let make = |error: std::io::Error| Fatal::Make(next.clone(), error);
    let count = u32::try_from(view.len()).unwrap_or(u32::MAX);
    let bytes = size(count).ok_or_else(|| make(std::io::ErrorKind::OutOfMemory.into()))?;
    let shared = Shared::create(&next, bytes, STATE_MODE).map_err(|error| make(error.into()))?;
    Table::create(shared.words(), count, view.hash(), &world.live)
        .map_err(|error| Fatal::Table(error.to_string()))?;
    Ok((shared, true))
}

/// The shell of this graph, with everything that it goes on from.
fn take_charge<'g>(
    mut world: World,
    view: View<'g>,
    table: Table<&'g [std::sync::atomic::AtomicU32]>,
    is_new: bool,
) -> Result<Shell<'g>, Fatal> {
    let graph = view.graph();
    world.outputs.learn(&graph);
    if let Some(live) = table.live() {
        world.live = live;
    }
    if is_new {
        let target = target(&world.places, &view);
        let mut shell = Shell::new(world, view, table, Engine::new(&graph))?;
        shell.engine.request(clock::now(), Request::Start, &target);
        // A table is there once it says what is wanted: until then, the next supervisor begins
        // anew.
        shell.publish_changes();
        let places = &shell.world.places;
        let path = places.below(paths::STATE);
        fs::rename(places.below(STATE_NEXT), &path).map_err(|error| Fatal::Make(path, error))?;
        shell.begin_logger();
        return Ok(shell);
    }
    let past = Past::read(&world, view, table);
    let saved: Vec<Saved> = past.records.iter().map(saved_of).collect();
    let alive = |id: ServiceId| past.alive.get(&id).copied().unwrap_or(NEVER);
    let engine = Engine::resume(&graph, &saved, alive, clock::now());
    drop(graph);
    let mut shell = Shell::new(world, view, table, engine)?;
    shell.adopt(&past);
    Ok(shell)
}

const NEVER: Alive = Alive { main: Process::Never, executed: false, command: Process::Never };

fn saved_of(record: &Record) -> Saved {
    Saved { unit: record.unit, goal: record.goal }
}

/// What is to be up: the target; if nobody named one and there is no default, everything but the
/// shell on the console.
fn target(places: &Places, view: &View<'_>) -> Vec<ServiceId> {
    let name = match &places.target {
        Target::Default | Target::Rescue => DEFAULT_TARGET,
        Target::Named(name) => name,
    };
    let is_rescue = |id: &ServiceId| {
        view.name(*id).is_some_and(|name| [RESCUE_TARGET, RESCUE_SHELL].contains(&name))
    };
    let all = || view.ids().filter(|id| !is_rescue(id)).collect();
    match (view.find(name), &places.target) {
        (Some(id), _) => vec![id],
        (None, Target::Default | Target::Rescue) => all(),
        (None, Target::Named(_)) => {
            warn!("there is no service {name} to start; starting {DEFAULT_TARGET}");
            view.find(DEFAULT_TARGET).map_or_else(all, |id| vec![id])
        }
    }
}

/// What the last supervisor has left.
struct Past {
    records: Vec<Record>,
    alive: BTreeMap<ServiceId, Alive>,
    /// Main processes that are gone, and nobody will tell how.
    lost: Vec<ServiceId>,
}

impl Past {
    fn read(world: &World, view: View<'_>, table: Table<&[std::sync::atomic::AtomicU32]>) -> Self {
        let mut past = Self { records: Vec::new(), alive: BTreeMap::new(), lost: Vec::new() };
        // What it was told and could not acknowledge any more is told again.
        let mut told = BTreeMap::new();
        for message in world.link.early() {
            if let FromInit::Exited { seq, pid, .. } = message {
                told.insert(*pid, *seq);
            }
        }
        let own = own_image();
        for id in view.ids() {
            let mut record = table.record(id).unwrap_or_else(|| {
                warn!(service = view.name(id).unwrap_or("?"), "cannot read its state record");
                Record::default()
            });
            let is_accounted = |pid: u32| told.get(&pid).is_some_and(|seq| *seq <= record.link_seq);
            if record.main_pid != 0 && is_accounted(record.main_pid) {
                record.main_pid = 0;
                table.clear_main(id);
            }
            if record.command_pid != 0 && is_accounted(record.command_pid) {
                record.command_pid = 0;
                table.clear_command(id);
            }
            let main = process(record.main_pid, |pid| is_same(pid, record.main_start));
            let command = process(record.command_pid, |pid| Stat::of(pid).is_ok());
            let executed = main == Process::Alive && image(record.main_pid) != own;
            past.alive.insert(id, Alive { main, executed, command });
            let untold = |pid: u32| !told.contains_key(&pid);
            if world.hello.lost_exits && main == Process::Gone && untold(record.main_pid) {
                past.lost.push(id);
            }
            past.records.push(record);
        }
        past
    }
}

impl Shell<'_> {
    /// Takes over the processes and descriptors of the supervisor before.
    fn adopt(&mut self, past: &Past) {
        let mut count: usize = 0;
        for (id, record) in self.view.ids().zip(&past.records) {
            let incarnation = record.unit.incarnation;
            let roles = [
                Some((record.main_pid, exits::Role::Main)),
                record.command().map(|command| (record.command_pid, exits::Role::Command(command))),
            ];
            for (pid, role) in roles.into_iter().flatten().filter(|(pid, _)| *pid != 0) {
                self.owners.insert(pid, Owner { id, incarnation, role });
                count = count.saturating_add(1);
            }
            if incarnation.0 > 0 {
                self.hold_again(id);
            }
        }
        info!("took over {count} processes of {} services", past.records.len());
        for id in &past.lost {
            let incarnation = self.engine.status(*id).unit.incarnation;
            self.owners.retain(|_, owner| owner.id != *id || owner.role != exits::Role::Main);
            self.tell(*id, Event::Exited(incarnation, Exit::Lost));
            self.publish_changes();
            self.table.clear_main(*id);
        }
        self.begin_logger();
        self.finish_apply();
        if self.world.live.shutdown.is_some() {
            self.resume_shutdown();
        } else {
            self.resume_apply();
        }
    }

    /// Hands init the FIFO of a service that has run: the supervisor before us may have been
    /// killed before it could.
    fn hold_again(&mut self, id: ServiceId) {
        let Some(process) = self.process(id) else { return };
        let name = self.name(id);
        if process.log.to == graph::LogTo::Files {
            let path = self.world.places.log(name);
            if self
                .world
                .outputs
                .prepare(&self.world.link, &path, &held_name(&format!("log/{name}")), None)
                .is_err()
            {
                warn!(service = name, "cannot open the FIFO of its output");
            }
        }
    }
}

fn process(pid: u32, is_it: impl Fn(u32) -> bool) -> Process {
    match pid {
        0 => Process::Never,
        pid if is_it(pid) => Process::Alive,
        _ => Process::Gone,
    }
}

/// Which program a process runs. One that was replaced on disk is still the same.
fn image(pid: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let text = link.to_string_lossy();
    Some(text.strip_suffix(" (deleted)").unwrap_or(&text).to_owned())
}

fn own_image() -> Option<String> {
    image(std::process::id())
}
