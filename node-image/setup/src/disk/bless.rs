//! `disk bless`

use std::fs;
use std::path::Path;

use super::booted;
use super::entry::good;
use super::esp::{Esp, sync};
use super::partition::variable;
use crate::Root;

/// Where systemd-boot says which entry it counts: a path in the ESP.
const COUNTED: &str =
    "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// Takes the counter off the entry that has booted. What has to be up before is for the service to
/// say that calls this.
pub fn bless(root: &Root) -> Result<String, String> {
    let Some(counted) = variable(COUNTED, root) else {
        return Ok("the loader counts nothing".to_owned());
    };
    let esp = Esp::mount(&booted(root)?, root)?;
    let from = esp.path(&counted);
    let name = from.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(good) = good(name) else {
        return Err(format!("cannot read the counter of {counted}"));
    };
    if good == name || !from.exists() {
        return Ok(format!("{good} is known to be good"));
    }
    let directory = from.parent().unwrap_or(Path::new("/"));
    fs::rename(&from, directory.join(&good))
        .and_then(|()| sync(directory))
        .map_err(|error| format!("cannot rename {counted}: {error}"))?;
    Ok(format!("{good} has booted, and is good"))
}
