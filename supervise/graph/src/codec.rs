//! The binary form: what `svc` writes and `supervise` maps.
//!
//! ```text
//!  0  magic     8 bytes          16  length    u32, of everything
//!  8  crc32     u32, from 12 on  20  services  u32
//! 12  version   u32              24  names     u32
//!                                28  hash      u64, FNV-1a of everything from 36 on
//! 36  offsets   (services + 1) × u32: where each record begins, and where the last one ends
//!     index     names × (offset u32, service u32), sorted by the name at the offset
//!     head      operators, shutdown budget, watchdog
//!     records   one service each, its name first
//!     aliases   names that services provide
//! ```
//!
//! Integers are little-endian; head, records and names are postcard. A name in the index is where
//! it stands anyway, in a record or among the aliases, so finding one decodes no service.
//!
//! **Invariant:** the reader trusts nothing. What [`View::open`] accepts is a graph in which every
//! index, every order and every name is right, whoever wrote the bytes; it never panics.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{Graph, Kind, LogTo, Process, Service, ServiceId, Watchdog, fingerprint::fnv1a};

const MAGIC: [u8; 8] = *b"cooper\x1ag";
/// Changes with every change of the types: a reader reads its own version only.
const VERSION: u32 = 2;

const AT_CRC: usize = 8;
const AT_VERSION: usize = 12;
const AT_LENGTH: usize = 16;
const AT_SERVICES: usize = 20;
const AT_NAMES: usize = 24;
const AT_HASH: usize = 28;
const BODY: usize = 36;

/// What there is beside the services.
#[derive(Deserialize, Serialize)]
struct Head {
    operators: Vec<String>,
    shutdown_budget_ms: u32,
    watchdog: Option<Watchdog>,
}

/// The binary form of `graph`: the same graph, the same bytes.
///
/// It does not check: [`View::open`] does, whatever the bytes came from.
#[must_use]
pub fn encode(graph: &Graph) -> Vec<u8> {
    let head = postcard_of(&Head {
        operators: graph.operators.clone(),
        shutdown_budget_ms: graph.shutdown_budget_ms,
        watchdog: graph.watchdog.clone(),
    });
    let records: Vec<Vec<u8>> = graph.services.iter().map(postcard_of).collect();
    let mut names: Vec<(&str, u32, Option<u32>)> = Vec::new();
    let mut aliases = Vec::new();
    for (id, service) in (0_u32..).zip(&graph.services) {
        names.push((&service.name, id, None));
        for alias in &service.provides {
            names.push((alias, id, Some(word(aliases.len()))));
            aliases.extend(postcard_of(alias));
        }
    }
    names.sort_unstable();

    let mut offsets = Vec::with_capacity(records.len().saturating_add(1));
    let tables = records.len().saturating_add(1).saturating_mul(4);
    let tables = tables.saturating_add(names.len().saturating_mul(8));
    let mut at = BODY.saturating_add(tables).saturating_add(head.len());
    for record in &records {
        offsets.push(word(at));
        at = at.saturating_add(record.len());
    }
    offsets.push(word(at));

    let mut body = Vec::with_capacity(at.saturating_add(aliases.len()));
    for offset in &offsets {
        body.extend(offset.to_le_bytes());
    }
    for (_, id, alias) in &names {
        let record = usize::try_from(*id).ok().and_then(|id| offsets.get(id)).copied();
        let offset = alias.map_or(record, |within| Some(word(at).saturating_add(within)));
        body.extend(offset.unwrap_or(u32::MAX).to_le_bytes());
        body.extend(id.to_le_bytes());
    }
    body.extend(head);
    body.extend(records.iter().flatten());
    body.extend(aliases);
    with_header(&body, word(records.len()), word(names.len()))
}

fn with_header(body: &[u8], services: u32, names: u32) -> Vec<u8> {
    let mut checked = Vec::with_capacity(BODY.saturating_add(body.len()));
    checked.extend(VERSION.to_le_bytes());
    checked.extend(word(BODY.saturating_add(body.len())).to_le_bytes());
    checked.extend(services.to_le_bytes());
    checked.extend(names.to_le_bytes());
    checked.extend(fnv1a(body).to_le_bytes());
    checked.extend(body);
    let mut bytes = Vec::with_capacity(BODY.saturating_add(body.len()));
    bytes.extend(MAGIC);
    bytes.extend(crc32fast::hash(&checked).to_le_bytes());
    bytes.extend(checked);
    bytes
}

/// Our types hold nothing that postcard cannot write; were it otherwise, the empty bytes would be
/// refused by [`View::open`].
fn postcard_of<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
}

/// A graph of 4 GiB is not one: what saturates here is refused by [`View::open`].
fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A graph in its binary form, checked once, decoded one service at a time.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
    services: u32,
    names: u32,
}

impl<'a> View<'a> {
    /// Checks all of `bytes`; nothing that is read afterwards can be wrong.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let view = Self::framed(bytes)?;
        let head = view.head_bytes().ok_or(DecodeError::Tables)?;
        decode_all::<Head>(head).ok_or(DecodeError::Head)?;
        let mut names: usize = 0;
        let mut conflicts = BTreeSet::new();
        for id in view.ids() {
            let service = view.service(id)?;
            check_relations(id, &service)?;
            conflicts.extend(service.conflicts.iter().map(|&other| (id, other)));
            for name in core::iter::once(&service.name).chain(&service.provides) {
                if view.find(name) != Some(id) {
                    return Err(DecodeError::Names);
                }
                names = names.saturating_add(1);
            }
        }
        // Each name was found, each is there once, and there are no others.
        if word(names) != view.names || !view.index_ascends() {
            return Err(DecodeError::Names);
        }
        // So none points outside either.
        if let Some(&(id, _)) = conflicts.iter().find(|&&(a, b)| !conflicts.contains(&(b, a))) {
            return Err(DecodeError::Relation(id, "conflicts"));
        }
        Ok(view)
    }

    /// Checks only that these are the bytes of a graph that [`View::open`] has checked: what is
    /// wrong with another one is found out when it is read.
    ///
    /// # Errors
    /// If they are not.
    pub fn open_again(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::framed(bytes)
    }

    /// Checks header and checksum. Counts that are too large are found out by the tables that
    /// are not there, before anything is counted.
    fn framed(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.get(..MAGIC.len()).is_none_or(|magic| magic != MAGIC) {
            return Err(DecodeError::Magic);
        }
        let field = |at| read_u32(bytes, at).ok_or(DecodeError::Truncated);
        let version = field(AT_VERSION)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let body = bytes.get(BODY..).ok_or(DecodeError::Truncated)?;
        if field(AT_LENGTH)? != word(bytes.len()) {
            return Err(DecodeError::Truncated);
        }
        let checked = bytes.get(AT_VERSION..).unwrap_or_default();
        if field(AT_CRC)? != crc32fast::hash(checked) {
            return Err(DecodeError::Checksum);
        }
        let view = Self { bytes, services: field(AT_SERVICES)?, names: field(AT_NAMES)? };
        if view.hash() == fnv1a(body) { Ok(view) } else { Err(DecodeError::Checksum) }
    }

    /// How many services there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.services).unwrap_or(usize::MAX)
    }

    /// No service at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services == 0
    }

    /// All services, in start order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = ServiceId> + use<> {
        (0..self.services).map(ServiceId)
    }

    /// What identifies this graph: equal graphs have equal hashes, on every machine.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let bytes = self.bytes.get(AT_HASH..BODY).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    /// The name of a service, without decoding it.
    #[must_use]
    pub fn name(&self, id: ServiceId) -> Option<&'a str> {
        self.record(id).and_then(leading_str)
    }

    /// The service of this name, or the one that provides it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ServiceId> {
        let mut below = 0;
        let mut above = self.names;
        while below < above {
            let middle = below.midpoint(above);
            let (found, id) = self.indexed(middle)?;
            match found.cmp(name) {
                core::cmp::Ordering::Equal => return Some(id),
                core::cmp::Ordering::Less => below = middle.saturating_add(1),
                core::cmp::Ordering::Greater => above = middle,
            }
        }
        None
    }

    /// Decodes one service.
    ///
    /// # Errors
    /// Its record is damaged, or there is no such service; after [`View::open`], only the latter.
    pub fn service(&self, id: ServiceId) -> Result<Service, DecodeError> {
        let record = self.record(id).ok_or(DecodeError::Record(id))?;
        decode_all(record).ok_or(DecodeError::Record(id))
    }

    /// Who may operate services, besides root.
    #[must_use]
    pub fn operators(&self) -> Vec<String> {
        self.head().map(|head| head.operators).unwrap_or_default()
    }

    /// The longest that a whole shutdown may take before the final phase begins.
    #[must_use]
    pub fn shutdown_budget_ms(&self) -> u32 {
        self.head().map_or(0, |head| head.shutdown_budget_ms)
    }

    /// The hardware watchdog that is to be armed.
    #[must_use]
    pub fn watchdog(&self) -> Option<Watchdog> {
        self.head()?.watchdog
    }

    /// Decodes everything.
    #[must_use]
    pub fn graph(&self) -> Graph {
        Graph {
            operators: self.operators(),
            shutdown_budget_ms: self.shutdown_budget_ms(),
            watchdog: self.watchdog(),
            services: self.ids().filter_map(|id| self.service(id).ok()).collect(),
        }
    }

    fn head(&self) -> Option<Head> {
        decode_all(self.head_bytes()?)
    }

    fn head_bytes(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.head_at()?..self.offset(0)?)
    }

    fn head_at(&self) -> Option<usize> {
        let names = usize::try_from(self.names).ok()?.checked_mul(8)?;
        self.index_at()?.checked_add(names)
    }

    fn index_at(&self) -> Option<usize> {
        let offsets = usize::try_from(self.services).ok()?.checked_add(1)?.checked_mul(4)?;
        BODY.checked_add(offsets)
    }

    fn offset(&self, record: u32) -> Option<usize> {
        let at = usize::try_from(record).ok()?.checked_mul(4)?.checked_add(BODY)?;
        usize::try_from(read_u32(self.bytes, at)?).ok()
    }

    fn record(&self, id: ServiceId) -> Option<&'a [u8]> {
        if id.0 >= self.services {
            return None;
        }
        self.bytes.get(self.offset(id.0)?..self.offset(id.0.checked_add(1)?)?)
    }

    /// An entry of the index: the name and whose it is.
    fn indexed(&self, entry: u32) -> Option<(&'a str, ServiceId)> {
        let at = usize::try_from(entry).ok()?.checked_mul(8)?.checked_add(self.index_at()?)?;
        let name = usize::try_from(read_u32(self.bytes, at)?).ok()?;
        let id = read_u32(self.bytes, at.checked_add(4)?)?;
        Some((leading_str(self.bytes.get(name..)?)?, ServiceId(id)))
    }

    fn index_ascends(&self) -> bool {
        let mut last = None;
        (0..self.names).all(|entry| {
            let name = self.indexed(entry).map(|(name, _)| name);
            let ascends = name.is_some() && last < name;
            last = name;
            ascends
        })
    }
}

/// Every relation of one service: backward, in order, each once, none to itself.
fn check_relations(id: ServiceId, service: &Service) -> Result<(), DecodeError> {
    let ascends = |ids: &[ServiceId]| ids.is_sorted_by(|a, b| a < b);
    let before =
        [("requires", &service.requires), ("wants", &service.wants), ("after", &service.after)];
    for (what, ids) in before {
        if !ascends(ids) || ids.last().is_some_and(|&last| last >= id) {
            return Err(DecodeError::Relation(id, what));
        }
    }
    if !ascends(&service.conflicts) || service.conflicts.contains(&id) {
        return Err(DecodeError::Relation(id, "conflicts"));
    }
    match service.kind {
        Kind::Longrun(Process { ref log, .. }) | Kind::Oneshot(Process { ref log, .. }) => {
            match log.to {
                LogTo::Service(consumer) if consumer >= id => Err(DecodeError::Relation(id, "log")),
                LogTo::Service(_) | LogTo::Files | LogTo::None | LogTo::Console => Ok(()),
            }
        }
        Kind::Bundle(_) => Ok(()),
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

fn leading_str(bytes: &[u8]) -> Option<&str> {
    postcard::take_from_bytes::<&str>(bytes).ok().map(|(name, _)| name)
}

/// Decodes `bytes`, which must be one `T` and nothing more.
fn decode_all<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

/// Why bytes are not a graph.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeError {
    /// They do not begin as a graph does.
    Magic,
    /// Written by a version of Cooper with other types.
    Version(u32),
    /// There are fewer or more of them than there should be.
    Truncated,
    /// They are not what was written.
    Checksum,
    /// The tables, or an offset in them, point outside.
    Tables,
    /// Operators and shutdown budget cannot be read.
    Head,
    /// This service cannot be read.
    Record(ServiceId),
    /// This service's relation of this name points outside, forward, twice at the same service,
    /// or (`conflicts`) is not returned.
    Relation(ServiceId, &'static str),
    /// A name is there twice, or the index of names does not fit the services.
    Names,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the graph: ")?;
        match self {
            Self::Magic => f.write_str("it is not a compiled graph"),
            Self::Version(version) => {
                write!(f, "it has version {version}, this program reads version {VERSION}")
            }
            Self::Truncated => f.write_str("its length is wrong"),
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Tables => f.write_str("its tables point outside"),
            Self::Head => f.write_str("its settings are damaged"),
            Self::Record(id) => write!(f, "service number {} is damaged", id.0),
            Self::Relation(id, what) => {
                write!(f, "`{what}` of service number {} is out of order", id.0)
            }
            Self::Names => f.write_str("its index of names is wrong"),
        }
    }
}

impl core::error::Error for DecodeError {}
