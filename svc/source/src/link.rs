//! From single services to a graph: names are resolved, templates become instances, and all is
//! put in order.

use std::collections::{BTreeMap, BTreeSet};

use graph::{DEFAULT_TARGET, Graph, Kind, LogTo, Service, ServiceId, fingerprint, nearest};

use crate::{
    compile::Instances,
    define::Draft,
    name,
    order::order,
    providers::{Meaning, Providers},
    report::Findings,
    schema::Named,
    text::At,
};

/// How one service comes to be before another one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Relation {
    Requires,
    Wants,
    After,
    Log,
}

impl Relation {
    const fn verb(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::Wants => "wants",
            Self::After => "comes after",
            Self::Log => "logs to",
        }
    }
}

/// What a service names, resolved: to whom, how, and where it says so.
#[derive(Clone, Copy, Debug)]
struct Edge {
    to: usize,
    relation: Relation,
    at: At,
}

/// Makes the instances of templates that services name, until none is missing.
pub(crate) fn instantiate(
    drafts: &mut BTreeMap<String, Draft>,
    instances: &mut Instances<'_>,
    findings: &mut Findings,
) {
    let mut unseen: Vec<String> = drafts.keys().cloned().collect();
    while let Some(draft) = unseen.pop() {
        let Some(draft) = drafts.get(&draft) else { continue };
        let named = draft.requires.iter().chain(&draft.wants).chain(&draft.consumer);
        let missing: BTreeSet<String> =
            named.map(|named| named.name.clone()).filter(|n| !drafts.contains_key(n)).collect();
        for missing in missing {
            let Some((template, instance)) = name::instance(&missing) else { continue };
            if let Some(draft) = instances.make(template, instance, &missing, findings) {
                drafts.insert(missing.clone(), draft);
                unseen.push(missing);
            }
        }
    }
}

/// Links `drafts` to a graph. Without an order there is none; then `findings` says why.
pub(crate) fn link(
    drafts: &BTreeMap<String, Draft>,
    templates: &[&str],
    without: &[Named],
    findings: &mut Findings,
) -> Option<Graph> {
    let drafts: Vec<&Draft> = drafts.values().collect();
    let providers = Providers::new(&drafts, findings);
    let resolver = Resolver { providers: &providers, templates };
    let mut edges: Vec<Vec<Edge>> =
        (0..drafts.len()).map(|index| resolver.edges(index, &drafts, findings)).collect();
    leave_out(without, &drafts, &mut edges, &providers, findings);
    let conflicts = drafts.iter().enumerate();
    let conflicts = conflicts.map(|(index, draft)| resolver.conflicts(index, draft, findings));
    let conflicts = mutual(conflicts.collect());
    check_conflicts(&drafts, &edges, &conflicts, findings);
    check_cgroups(&drafts, findings);

    let before: Vec<Vec<usize>> = edges
        .iter()
        .map(|edges| edges.iter().map(|edge| edge.to).collect::<BTreeSet<_>>())
        .map(|earlier| earlier.into_iter().collect())
        .collect();
    match order(&before) {
        Ok(sorted) => Some(assemble(&drafts, &edges, &conflicts, &providers, &sorted)),
        Err(circles) => {
            for circle in circles {
                tell_circle(&drafts, &edges, &circle, findings);
            }
            None
        }
    }
}

struct Resolver<'a> {
    providers: &'a Providers<'a>,
    templates: &'a [&'a str],
}

impl Resolver<'_> {
    fn edges(&self, index: usize, drafts: &[&Draft], findings: &mut Findings) -> Vec<Edge> {
        let Some(draft) = drafts.get(index) else { return Vec::new() };
        for named in draft.wants.iter().filter(|_| self.providers.is_up(index)) {
            self.undecided(named, findings);
        }
        let mut edges = Vec::new();
        let mut add = |named: &Named, relation, findings: &mut Findings| {
            let found = self.find(named, relation, findings);
            edges.extend(found.map(|(to, relation)| Edge { to, relation, at: named.at }));
        };
        draft.requires.iter().for_each(|named| add(named, Relation::Requires, findings));
        draft.wants.iter().for_each(|named| add(named, Relation::Wants, findings));
        draft.after.iter().for_each(|named| add(named, Relation::After, findings));
        draft.consumer.iter().for_each(|named| add(named, Relation::Log, findings));
        edges
    }

    /// A name that the service has itself, beside its own, means all others that have it.
    fn conflicts(&self, index: usize, draft: &Draft, findings: &mut Findings) -> Vec<(usize, At)> {
        let mut conflicts = Vec::new();
        for named in &draft.conflicts {
            let found = self.find(named, Relation::After, findings);
            let others = found.filter(|(to, _)| *to != index || named.name == draft.service.name);
            conflicts.extend(others.map(|(to, _)| (to, named.at)));
        }
        conflicts
    }

    /// Those that are meant, and how they relate: an order holds for all that have the name.
    fn find(
        &self,
        named: &Named,
        relation: Relation,
        findings: &mut Findings,
    ) -> impl Iterator<Item = (usize, Relation)> + use<'_> {
        let chosen = match (relation, self.providers.meaning(&named.name)) {
            (Relation::After, Meaning::One(_) | Meaning::Any(_)) => None,
            (_, Meaning::One(one)) => Some(one),
            (Relation::Wants, Meaning::Any(_)) => None,
            (Relation::Requires | Relation::Log, Meaning::Any(several)) => {
                let message = self.any_of(named, several);
                findings.error(
                    named.at,
                    message,
                    "name one of them in `services` of node.toml, or here",
                );
                None
            }
            (_, Meaning::Nobody) => {
                self.missing(named, relation, findings);
                None
            }
        };
        let all = self.providers.all(&named.name).iter();
        all.map(move |&to| (to, if chosen == Some(to) { relation } else { Relation::After }))
    }

    /// The node would come up without what a name stands for, because nobody chose.
    fn undecided(&self, named: &Named, findings: &mut Findings) {
        if let Meaning::Any(several) = self.providers.meaning(&named.name) {
            let help = "name one of them in `services` of node.toml: it goes on without";
            findings.warning(named.at, self.any_of(named, several), help);
        }
    }

    fn any_of(&self, named: &Named, several: &[usize]) -> String {
        let list = self.providers.list(several);
        format!("`{}` can be any of {list}, and nothing says which", named.name)
    }

    /// What must be there and is not is an error; what may be absent is told only if it looks like
    /// a slip of the pen.
    fn missing(&self, named: &Named, relation: Relation, findings: &mut Findings) {
        let Named { name, at } = named;
        let near = nearest(name, self.providers.known()).map(str::to_string).or_else(|| {
            let (template, instance) = name::instance(name)?;
            let near = nearest(template, self.templates.iter().copied())?;
            Some(format!("{near}{instance}"))
        });
        let missing = format!("there is no service `{name}`");
        match (relation, near) {
            (Relation::Requires | Relation::Log, near) => {
                let help = match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("write {name}.toml, or take the name out"),
                };
                findings.error(*at, missing, help);
            }
            (Relation::Wants, near) => {
                let help = match near {
                    Some(near) => format!("did you mean \"{near}\"? It goes on without it"),
                    None => "it goes on without it".to_string(),
                };
                findings.warning(*at, missing, help);
            }
            // A slip of the pen rarely hits the first letter: `elogind` is no misspelt `login1`.
            (Relation::After, Some(near)) if near.chars().next() == name.chars().next() => {
                let help = format!("did you mean \"{near}\"? As it is, this says nothing");
                findings.warning(*at, missing, help);
            }
            (Relation::After, Some(_) | None) => {}
        }
    }
}

/// Nobody brings up what `node.toml` leaves out: who wants it goes on without it, and comes after
/// it if somebody starts it. Who requires it, and is to come up, could not.
fn leave_out<'n>(
    without: &'n [Named],
    drafts: &[&Draft],
    edges: &mut [Vec<Edge>],
    providers: &Providers<'_>,
    findings: &mut Findings,
) {
    let own = |named: &'n Named| match providers.all(&named.name) {
        [one] => Some((*one, named)),
        _ => None,
    };
    let left: BTreeMap<usize, &Named> = without.iter().filter_map(own).collect();
    for edge in edges.iter_mut().flatten() {
        if edge.relation == Relation::Wants && left.contains_key(&edge.to) {
            edge.relation = Relation::After;
        }
    }
    let mut up = BTreeSet::new();
    let mut unseen: Vec<usize> = providers.all(DEFAULT_TARGET).to_vec();
    while let Some(index) = unseen.pop() {
        if !up.insert(index) {
            continue;
        }
        for edge in pulls(edges.get(index).into_iter().flatten()) {
            let Some(named) = left.get(&edge.to) else {
                unseen.push(edge.to);
                continue;
            };
            let (name, verb) = (&named.name, edge.relation.verb());
            let who = drafts.get(index).map_or("", |draft| draft.service.name.as_str());
            findings.error_with(
                named.at,
                format!("`{name}` cannot be left out: `{who}` {verb} it"),
                format!("keep `{name}`, or leave out what brings up `{who}` as well"),
                vec![(edge.at, format!("`{who}` {verb} it here"))],
            );
        }
    }
}

/// Whoever says it, it holds for both; a service that conflicts with itself is left to
/// [`check_conflicts`].
fn mutual(conflicts: Vec<Vec<(usize, At)>>) -> BTreeMap<(usize, usize), At> {
    let mut both = BTreeMap::new();
    for (index, list) in conflicts.into_iter().enumerate() {
        for (other, at) in list {
            both.entry((index.min(other), index.max(other))).or_insert(at);
        }
    }
    both
}

/// What brings up two services that conflict can never be up itself.
fn check_conflicts(
    drafts: &[&Draft],
    edges: &[Vec<Edge>],
    conflicts: &BTreeMap<(usize, usize), At>,
    findings: &mut Findings,
) {
    let name = |index: usize| drafts.get(index).map_or("", |draft| &draft.service.name);
    let pullers = pullers(edges);
    for (&(a, b), &at) in conflicts {
        let with_a = pulled_by(&pullers, a);
        let with_b = pulled_by(&pullers, b);
        let both: BTreeSet<usize> = with_a.intersection(&with_b).copied().collect();
        // Those that only pull another one of them are told when that one is right.
        let first = both.iter().filter(|&&index| {
            let list = edges.get(index).into_iter().flatten();
            !pulls(list).any(|edge| both.contains(&edge.to))
        });
        for &index in first {
            let Some(draft) = drafts.get(index) else { continue };
            let edges = edges.get(index).into_iter().flatten();
            let through = pulls(edges)
                .filter(|edge| with_a.contains(&edge.to) || with_b.contains(&edge.to))
                .map(|edge| {
                    let (verb, to) = (edge.relation.verb(), name(edge.to));
                    (edge.at, format!("`{}` {verb} `{to}`", name(index)))
                });
            let mut related = vec![(at, format!("`{}` and `{}` conflict here", name(a), name(b)))];
            related.extend(through);
            findings.error_with(
                draft.at,
                format!(
                    "`{}` starts both `{}` and `{}`, which conflict",
                    draft.service.name,
                    name(a),
                    name(b)
                ),
                "leave one of the two out, or remove the conflict",
                related,
            );
        }
    }
}

fn pulls<'a>(edges: impl Iterator<Item = &'a Edge>) -> impl Iterator<Item = &'a Edge> {
    edges.filter(|edge| edge.relation != Relation::After)
}

/// `target` and everything that starts it.
fn pulled_by(pullers: &[Vec<usize>], target: usize) -> BTreeSet<usize> {
    let mut pulled = BTreeSet::from([target]);
    let mut unseen = vec![target];
    while let Some(index) = unseen.pop() {
        for &puller in pullers.get(index).into_iter().flatten() {
            if pulled.insert(puller) {
                unseen.push(puller);
            }
        }
    }
    pulled
}

/// For each service, those that start it.
fn pullers(edges: &[Vec<Edge>]) -> Vec<Vec<usize>> {
    let mut pullers = vec![Vec::new(); edges.len()];
    for (index, list) in edges.iter().enumerate() {
        for edge in pulls(list.iter()) {
            if let Some(pullers) = pullers.get_mut(edge.to) {
                pullers.push(index);
            }
        }
    }
    pullers
}

/// A cgroup belongs to one service, and none is inside another's: the kernel allows processes in
/// leaves only.
fn check_cgroups(drafts: &[&Draft], findings: &mut Findings) {
    let place = |draft: &Draft| {
        let fields = draft.fields.as_ref();
        fields.and_then(|fields| fields.value_at("cgroup.path")).unwrap_or(draft.at)
    };
    let mut paths: BTreeMap<&str, &Draft> = BTreeMap::new();
    for draft in drafts {
        let Some(process) = draft.process() else { continue };
        if let Some(other) = paths.insert(&process.cgroup.path, draft) {
            let what = format!("`{}` has it here", other.service.name);
            findings.error_with(
                place(draft),
                format!("the cgroup `{}` is taken", process.cgroup.path),
                "each service has a cgroup of its own",
                vec![(place(other), what)],
            );
        }
    }
    for (path, draft) in &paths {
        let mut above = *path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            above = parent;
            if let Some(other) = paths.get(parent) {
                let what = format!("`{}` has `{parent}`", other.service.name);
                findings.error_with(
                    place(draft),
                    format!("the cgroup `{path}` is inside that of another service"),
                    "put them side by side: the kernel allows processes in leaves only",
                    vec![(place(other), what)],
                );
            }
        }
    }
}

fn tell_circle(drafts: &[&Draft], edges: &[Vec<Edge>], circle: &[usize], findings: &mut Findings) {
    let name = |index: usize| drafts.get(index).map_or("", |draft| draft.service.name.as_str());
    let mut related = Vec::new();
    let mut path = String::new();
    let next = circle.iter().cycle().skip(1);
    for (&from, &to) in circle.iter().zip(next) {
        path.push_str(name(from));
        path.push_str(" → ");
        let mut edges = edges.get(from).into_iter().flatten();
        if let Some(edge) = edges.find(|edge| edge.to == to) {
            related.push((
                edge.at,
                format!("`{}` {} `{}`", name(from), edge.relation.verb(), name(to)),
            ));
        }
    }
    path.push_str(circle.first().copied().map_or("", name));
    let at = related.first().map_or(At::NOWHERE, |(at, _)| *at);
    findings.error_with(
        at,
        format!("services wait for each other in a circle: {path}"),
        "take one of these relations out",
        related,
    );
}

/// The graph: services in their order, names replaced by indices.
fn assemble(
    drafts: &[&Draft],
    edges: &[Vec<Edge>],
    conflicts: &BTreeMap<(usize, usize), At>,
    providers: &Providers<'_>,
    sorted: &[usize],
) -> Graph {
    let mut ids: Vec<ServiceId> = vec![ServiceId(0); drafts.len()];
    for (id, &index) in (0_u32..).zip(sorted) {
        if let Some(slot) = ids.get_mut(index) {
            *slot = ServiceId(id);
        }
    }
    let id = |index: usize| ids.get(index).copied().unwrap_or(ServiceId(u32::MAX));
    let mut enemies: BTreeMap<usize, BTreeSet<ServiceId>> = BTreeMap::new();
    for &(a, b) in conflicts.keys() {
        enemies.entry(a).or_default().insert(id(b));
        enemies.entry(b).or_default().insert(id(a));
    }
    let services = sorted.iter().filter_map(|&index| {
        let draft = drafts.get(index)?;
        let edges = edges.get(index)?;
        let consumer = edges.iter().find(|edge| edge.relation == Relation::Log);
        let consumer = consumer.and_then(|edge| drafts.get(edge.to));
        let consumer = consumer.map(|draft| draft.service.name.as_str());
        let mut service = related(draft, edges, &id, consumer);
        service.provides.retain(|alias| providers.is_meant(index, alias));
        service.conflicts = enemies.remove(&index).into_iter().flatten().collect();
        Some(service)
    });
    Graph { services: services.collect(), ..Graph::default() }
}

/// The service with its relations: sorted, and each other service in one of them only, the
/// strongest.
fn related(
    draft: &Draft,
    edges: &[Edge],
    id: &impl Fn(usize) -> ServiceId,
    consumer: Option<&str>,
) -> Service {
    let mut service = draft.service.clone();
    let mut strongest: BTreeMap<ServiceId, Relation> = BTreeMap::new();
    for edge in edges {
        // To be read is to be wanted: the reader is started too, and first.
        let relation = if edge.relation == Relation::Log { Relation::Wants } else { edge.relation };
        let entry = strongest.entry(id(edge.to)).or_insert(relation);
        *entry = (*entry).min(relation);
    }
    for (other, relation) in strongest {
        match relation {
            Relation::Requires => service.requires.push(other),
            Relation::Wants | Relation::Log => service.wants.push(other),
            Relation::After => service.after.push(other),
        }
    }
    let read_by = edges.iter().find(|edge| edge.relation == Relation::Log);
    if let (Some(edge), Kind::Longrun(process) | Kind::Oneshot(process)) =
        (read_by, &mut service.kind)
    {
        process.log.to = LogTo::Service(id(edge.to));
    }
    service.fingerprint = fingerprint(&service, consumer);
    service
}
