//! Signatures of packages and indices: RSA with SHA-256, by `openssl`, under the name of the key.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::archive::{Archive, End};
use crate::tool;

/// The member that says who vouches for `signed`. `apk` looks for the public key by its file name,
/// that of the private one and `.pub`, in /etc/apk/keys.
pub fn member(signed: &[u8], key: &Path, date: u64) -> Result<Vec<u8>> {
    let Some(name) = key.file_name().and_then(|name| name.to_str()) else {
        bail!("cannot sign with {}: it is no file", key.display());
    };
    // apk takes no other name for a key of RSA.
    if !name.ends_with(".rsa") {
        bail!("cannot sign with {}: its name must end in .rsa", key.display());
    }
    let mut archive = Archive::new(date);
    archive.file(&format!(".SIGN.RSA256.{name}.pub"), 0o644, &signature(signed, key)?)?;
    archive.finish(End::Open)
}

fn signature(signed: &[u8], key: &Path) -> Result<Vec<u8>> {
    let failed = || format!("cannot sign with {}", key.display());
    let mut openssl = tool::command("openssl")?;
    openssl.args(["dgst", "-sha256", "-sign"]).arg(key);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = openssl.spawn().with_context(failed)?;
    // It reads all before it writes anything, so neither waits for the other. Where it does not
    // read, it says why.
    let unread = process.stdin.take().map(|mut input| input.write_all(signed));
    let output = process.wait_with_output().with_context(failed)?;
    if !output.status.success() {
        bail!("{}: {}", failed(), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    unread.transpose().with_context(failed)?;
    Ok(output.stdout)
}
