//! The way from files to a graph: parse, lay over, read, define, link, look again.

use std::collections::BTreeMap;

use facts::{Library, Merged};
use graph::{DEFAULT_TARGET, Graph, RESCUE_SHELL, RESCUE_TARGET, ServiceId};

use crate::{
    container,
    define::{Draft, define},
    link, lint,
    node::NodeFile,
    profiles::{self, Members},
    reader,
    report::Findings,
    schema::{SERVICE, Schema},
    text::{At, FileId, Sources},
    tree::{Files, Found},
    value::{self, Value},
    without,
};

/// Compiles what was found. None: `findings` has an error.
pub(crate) fn compile(found: &Found, findings: &mut Findings) -> Option<Graph> {
    let schema = Schema::new(SERVICE);
    let node = NodeFile::read(found, findings);
    let asked = !node.choice.profiles.is_empty() || node.choice.hardware.is_some();
    let library = profiles::library(found, asked, findings);
    let merged = profiles::merge(&library, &node, findings);
    let mut instances = Instances {
        schema: &schema,
        sources: &found.sources,
        files: &found.services,
        table: &merged.node,
    };
    let mut drafts = BTreeMap::new();
    for (name, files) in &found.services {
        if files.definition.is_none() {
            tell_orphans(name, files, found, findings);
        } else if name.ends_with('@') {
            instances.check_template(name, findings);
        } else if let Some(draft) = instances.service(name, &[files], None, findings) {
            drafts.insert(name.clone(), draft);
        }
    }
    built_in(&mut drafts);
    without::check(&node, &merged, findings);
    if found.is_container {
        container::complete(&mut drafts, findings);
    }
    let mut members = profiles::members(&merged, &node, found, &drafts, findings);
    members.wants.extend(node.services);
    add_to_default(&mut drafts, members, node.at, findings);
    link::instantiate(&mut drafts, &mut instances, findings);

    let templates: Vec<&str> =
        found.services.keys().map(String::as_str).filter(|name| name.ends_with('@')).collect();
    let graph = link::link(&drafts, &templates, &node.without, findings);
    lint::lint(&drafts, &found.sources, findings);
    if findings.has_errors() {
        return None;
    }
    let NodeFile { operators, shutdown_budget, watchdog, .. } = node;
    let graph = graph?;
    let shutdown_budget_ms = shutdown_budget.of(&graph);
    Some(Graph { operators, shutdown_budget_ms, watchdog, ..graph })
}

/// The node's table, and all that it could have been made of. `profiles`, if there are any, are
/// taken instead of those that `node.toml` chooses.
pub(crate) fn table(
    found: &Found,
    profiles: &[String],
    findings: &mut Findings,
) -> (Merged, Library) {
    let mut node = NodeFile::read(found, findings);
    let library = profiles::library(found, true, findings);
    if !profiles.is_empty() {
        node.choice.profiles = profiles.to_vec();
    }
    let merged = profiles::merge(&library, &node, findings);
    (merged, library)
}

/// Makes services of templates and files.
pub(crate) struct Instances<'a> {
    schema: &'a Schema,
    sources: &'a Sources,
    files: &'a BTreeMap<String, Files>,
    table: &'a facts::Node,
}

impl Instances<'_> {
    /// Makes an instance of `template`, if there is such a template.
    pub fn make(
        &mut self,
        template: &str,
        instance: &str,
        name: &str,
        findings: &mut Findings,
    ) -> Option<Draft> {
        let files = self.files.get(template).filter(|files| files.definition.is_some())?;
        // Drop-ins of this one instance are laid over those of all instances.
        let own = self.files.get(name);
        let layers: Vec<&Files> = std::iter::once(files).chain(own).collect();
        self.service(name, &layers, Some(instance), findings)
    }

    /// A template that nobody names yet is checked all the same, with some instance.
    fn check_template(&mut self, template: &str, findings: &mut Findings) {
        let _ = self.make(template, "1", &format!("{template}1"), findings);
    }

    /// Makes a service of its definition and all drop-ins.
    fn service(
        &mut self,
        name: &str,
        layers: &[&Files],
        instance: Option<&str>,
        findings: &mut Findings,
    ) -> Option<Draft> {
        let definition = layers.iter().find_map(|files| files.definition)?;
        let (mut merged, mut whole) = self.parse(definition, instance, findings);
        for files in layers {
            for &drop_in in files.drop_ins.values() {
                let (upper, parsed) = self.parse(drop_in, instance, findings);
                whole &= parsed;
                value::merge(&mut merged, upper, "", &|path| self.schema.group(path));
            }
        }
        let mut fields = reader::read(self.schema, &merged, findings);
        fields.whole = whole;
        let path = self.sources.path(definition);
        let at = At::top_of(definition);
        let mut draft = define(self.schema, name, path, at, fields, findings);
        profiles::set_up(&mut draft, self.table, findings);
        Some(draft)
    }

    fn parse(
        &self,
        file: FileId,
        instance: Option<&str>,
        findings: &mut Findings,
    ) -> (Value, bool) {
        let (mut value, whole) = value::parse(self.sources, file, findings);
        reader::expand_shorthands(self.schema, &mut value);
        if let Some(instance) = instance {
            value.each_text(&mut |text, at| {
                if let Some(unknown) = expand(text, instance) {
                    findings.error(
                        at,
                        format!("`%{unknown}` means nothing in a template"),
                        "`%i` is the instance, `%%` is a percent sign",
                    );
                }
            });
        }
        (value, whole)
    }
}

/// Puts the instance in the place of each `%i`; returns what follows a `%` and is not known.
fn expand(text: &mut String, instance: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let mut unknown = None;
    let mut expanded = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '%') {
            (c, false) => expanded.push(c),
            (_, true) => match rest.next() {
                Some('i') => expanded.push_str(instance),
                Some('%') => expanded.push('%'),
                other => unknown = Some(other.map(String::from).unwrap_or_default()),
            },
        }
    }
    *text = expanded;
    unknown
}

fn tell_orphans(name: &str, files: &Files, found: &Found, findings: &mut Findings) {
    // Drop-ins of an instance have a template's definition.
    let template =
        crate::name::instance(name).and_then(|(template, _)| found.services.get(template));
    if template.is_some_and(|template| template.definition.is_some()) {
        return;
    }
    for &drop_in in files.drop_ins.values() {
        findings.warning(
            At::top_of(drop_in),
            format!("a drop-in for `{name}`, which is not defined"),
            format!("write {name}.toml, or remove the drop-in"),
        );
    }
}

/// The rescue bundle and its shell are always there; a file of the same name takes its place.
fn built_in(drafts: &mut BTreeMap<String, Draft>) {
    let shell = Draft::built_in(graph::rescue_shell(), &[]);
    drafts.entry(RESCUE_SHELL.to_string()).or_insert(shell);
    let mut bundle = graph::rescue_bundle(ServiceId(0));
    bundle.requires.clear();
    let bundle = Draft::built_in(bundle, &[RESCUE_SHELL]);
    drafts.entry(RESCUE_TARGET.to_string()).or_insert(bundle);
}

/// What profiles and `services` of `node.toml` ask for is asked for by `default`, which is made if
/// no file has it.
fn add_to_default(
    drafts: &mut BTreeMap<String, Draft>,
    members: Members,
    node: At,
    findings: &mut Findings,
) {
    let provided = drafts
        .values()
        .any(|draft| draft.provides.iter().any(|alias| alias.name == DEFAULT_TARGET));
    if members.requires.is_empty() && members.wants.is_empty() {
        // Whoever checks a part of a node's files has other things to mend first.
        if !provided && !drafts.contains_key(DEFAULT_TARGET) && !findings.has_errors() {
            let at = if node == At::NOWHERE { lint::first_place(drafts) } else { node };
            findings.warning(
                at,
                "there is no bundle `default`: a boot brings up nothing but the rescue shell",
                "write default.toml with type = \"bundle\", or `profiles = [...]` or `services = \
                 [...]` in node.toml",
            );
        }
        return;
    }
    let default = drafts.entry(DEFAULT_TARGET.to_string()).or_insert_with(|| {
        let mut service = graph::rescue_bundle(ServiceId(0));
        service.name = DEFAULT_TARGET.to_string();
        service.description = "What this node is for".to_string();
        service.requires.clear();
        let mut draft = Draft::built_in(service, &[]);
        draft.at = node;
        draft
    });
    default.requires.extend(members.requires);
    default.wants.extend(members.wants);
}
