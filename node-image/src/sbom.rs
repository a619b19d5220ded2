//! What an image is made of, for those who have to know: a CycloneDX document.
//!
//! It has no serial number and no date, so that the same content has the same document.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A thing of others, or of ours, that is in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Under which licence: an SPDX expression.
    pub license: String,
    /// Where it is from, and what it is called there: a package URL.
    pub purl: String,
}

/// The components of a list as `node-image/build-static` writes it: `NAME VERSION LICENSE` in each
/// line, of the crates that the programs are built from.
pub fn crates(list: &str) -> Result<Vec<Component>> {
    let mut components = Vec::new();
    for line in list.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(name), Some(version), Some(license)) = (words.next(), words.next(), words.next())
        else {
            bail!("cannot read the list of crates: `{line}` is not NAME VERSION LICENSE");
        };
        components.push(Component {
            name: name.to_owned(),
            version: version.to_owned(),
            // Cargo once took a slash for "or".
            license: license.replace('/', " OR "),
            purl: format!("pkg:cargo/{name}@{version}"),
        });
    }
    Ok(components)
}

/// The document of an image.
pub fn document(name: &str, version: &str, components: &[Component]) -> Result<Vec<u8>> {
    let mut components: Vec<&Component> = components.iter().collect();
    components.sort();
    let components: Vec<Value> = components.into_iter().map(component).collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "container", "name": name, "version": version } },
        "components": components,
    });
    serde_json::to_vec_pretty(&document).context("cannot write the list of contents")
}

fn component(component: &Component) -> Value {
    json!({
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "licenses": [{ "expression": component.license }],
        "purl": component.purl,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_is_a_component_in_order_of_names() {
        let list = "libc 0.2.1 MIT OR Apache-2.0\ncaps 0.5.6 MIT/Apache-2.0\n";
        let document = document("cooper", "1", &crates(list).unwrap()).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        let [caps, libc] = document["components"].as_array().unwrap().as_slice() else { panic!() };
        assert_eq!(caps["purl"], "pkg:cargo/caps@0.5.6");
        assert_eq!(caps["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(libc["name"], "libc");
    }

    #[test]
    fn a_line_that_is_no_crate_is_an_error() {
        assert!(crates("libc").unwrap_err().to_string().contains("`libc`"));
    }
}
