//! What a root is made of: the options that all images of a node share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use facts::Hardware;
use node_image::checkout::Checkout;
use node_image::debian::{self, Root};
use node_image::disk;
use node_image::graph;
use node_image::output::beside;
use node_image::progress::Progress;
use node_image::tree::{Content, Entry, Tree};

use crate::verb::files::laid;

const NODE: &str = "etc/cooper/node.toml";
/// What tells NixOS from a directory of files.
const NIX_STORE: &str = "store.erofs";

/// What it is for, and what it is made of.
#[derive(Args)]
pub struct RootArgs {
    /// The hardware (`node-image list targets`)
    #[arg(long)]
    target: String,
    /// What the node is for (`node-image list profiles`)
    #[arg(long = "profile", value_delimiter = ',', default_value = "base", value_name = "NAME,…")]
    profiles: Vec<String>,
    /// What the root is made of: debian, alpine (then --repository and --key say whose), nix (the
    /// checkout's flake), or a directory that holds one, as alpine/image and the flake make it
    #[arg(long, default_value = "debian", value_name = "debian|alpine|nix|ROOT")]
    base: String,
    /// More services that the node runs
    #[arg(long = "service", value_delimiter = ',', value_name = "NAME,…")]
    services: Vec<String>,
    /// More packages of the base
    #[arg(long = "package", value_delimiter = ',', value_name = "NAME,…")]
    packages: Vec<String>,
    /// A file or directory that is laid over the root, and where (`/` by default); later ones win
    #[arg(long, value_name = "PATH[:TARGET]")]
    lay: Vec<String>,
    /// Who may log in as root by SSH: a file of public keys
    #[arg(long, value_name = "FILE")]
    authorized_key: Option<PathBuf>,
    /// Leave out firmware and microcode, which a virtual machine does without
    #[arg(long)]
    without_firmware: bool,
    /// For alpine: a repository of packages, as in /etc/apk/repositories
    #[arg(long = "repository", value_name = "URL")]
    repositories: Vec<String>,
    /// For alpine: a public key that vouches for one
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// For alpine: the kernel (default: linux-lts, or what the target needs)
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// For alpine: apk-tools
    #[arg(long, value_name = "PROGRAM")]
    apk: Option<PathBuf>,
}

/// A root, and what it is for.
pub struct Made {
    /// The target's name.
    pub name: String,
    pub target: Hardware,
    pub profiles: Vec<String>,
    pub root: disk::Root,
}

impl RootArgs {
    /// Makes it, for an image at `output`, with a profile that every image of its kind has.
    pub fn build(&self, profile: Option<&str>, output: &Path, progress: &Progress) -> Result<Made> {
        self.check()?;
        let mut profiles = self.profiles.clone();
        profiles.extend(
            profile.filter(|own| !self.profiles.iter().any(|it| it == own)).map(str::to_owned),
        );
        let node = debian::node(&self.target, &profiles)?;
        let Some((name, target)) = node.hardware else {
            bail!("there is no hardware target {}: node-image list targets", self.target);
        };
        let root = self.root(&target, &profiles, profile, output, progress)?;
        Ok(Made { name, target, profiles, root })
    }

    /// Its packages are Debian's.
    pub fn is_debian(&self) -> bool {
        self.base == "debian"
    }

    /// What is asked for fits what the root is made of.
    fn check(&self) -> Result<()> {
        let is_alpine = self.base == "alpine";
        let has_repository = !self.repositories.is_empty() && !self.keys.is_empty();
        if is_alpine && !has_repository {
            bail!("--base alpine needs --repository and --key: whose packages, and who vouches");
        }
        let is_for_alpine = !self.repositories.is_empty()
            || !self.keys.is_empty()
            || self.kernel.is_some()
            || self.apk.is_some();
        if is_for_alpine && !is_alpine {
            bail!("--repository, --key, --kernel and --apk are for --base alpine");
        }
        let has_more = !self.services.is_empty() || !self.packages.is_empty();
        if has_more && !is_alpine && !self.is_debian() {
            bail!(
                "--service and --package are for roots that are made here (debian, alpine): {} is \
                 made already",
                self.base
            );
        }
        Ok(())
    }

    fn root(
        &self,
        target: &Hardware,
        profiles: &[String],
        profile: Option<&str>,
        output: &Path,
        progress: &Progress,
    ) -> Result<disk::Root> {
        let directory = match self.base.as_str() {
            "nix" => {
                progress.step("building the flake's image");
                self.nix(&target.architecture)?
            }
            directory => PathBuf::from(directory),
        };
        if !directory.join(NIX_STORE).exists() {
            return self.tree(target, profiles, profile, output, progress).map(disk::Root::Files);
        }
        if !self.lay.is_empty() || self.authorized_key.is_some() {
            bail!("nothing can be laid over NixOS: write it in its configuration (nix/README.md)");
        }
        let [image, kernel, initramfs] =
            [NIX_STORE, "kernel", "initrd"].map(|name| directory.join(name));
        let line = directory.join("cmdline");
        let line =
            fs::read_to_string(&line).with_context(|| format!("cannot read {}", line.display()))?;
        Ok(disk::Root::Image { image, kernel, initramfs, line: line.trim_end().to_owned() })
    }

    /// Of the flake beside this crate, for one profile.
    fn nix(&self, architecture: &str) -> Result<PathBuf> {
        let checkout =
            Checkout::find("build .#disks of the flake, and give what that makes as --base")?;
        let [profile] = &self.profiles[..] else {
            bail!(
                "the flake's disks are for one profile each: a host of your own can have several"
            );
        };
        let attribute = format!("disks.{architecture}-linux.{}.{profile}", self.target);
        let flake = checkout.file("../nix").display().to_string();
        let mut nix = Command::new("nix");
        nix.args(["--extra-experimental-features", "nix-command flakes", "build", "--no-link"]);
        nix.args(["--print-out-paths", &format!("{flake}#{attribute}")]).stderr(Stdio::inherit());
        let output = nix.output().context("cannot run nix")?;
        if !output.status.success() {
            bail!("nix could not build {attribute} ({})", output.status);
        }
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }

    fn tree(
        &self,
        hardware: &Hardware,
        profiles: &[String],
        profile: Option<&str>,
        output: &Path,
        progress: &Progress,
    ) -> Result<Tree> {
        let lay = self.laid();
        match self.base.as_str() {
            "debian" => {
                let checkout = Checkout::find("give --base a root")?;
                let root = Root {
                    target: &self.target,
                    profiles,
                    without_firmware: self.without_firmware,
                    packages: &self.packages,
                    services: &self.services,
                    lay: &lay,
                };
                let mut tree = root.build(&checkout, progress)?;
                self.authorize(&mut tree)?;
                Ok(tree)
            }
            "alpine" => {
                let directory = beside(output, ".alpine");
                progress.step("making a root of Alpine's packages");
                let done = self
                    .alpine(hardware, profiles, &directory)
                    .and_then(|()| self.take(hardware, &directory, profile, &[], output));
                // Its files are read when the image is written, so it is left until then.
                progress.step(&format!("{} may be removed afterwards", directory.display()));
                done
            }
            directory => self.take(hardware, Path::new(directory), profile, &lay, output),
        }
    }

    fn alpine(&self, hardware: &Hardware, profiles: &[String], root: &Path) -> Result<()> {
        let checkout = Checkout::find("give --base a root that alpine/image has made")?;
        let script = checkout.file("../alpine/image");
        let mut command = Command::new(&script);
        command.args(["--target", &self.target, "--profile", &profiles.join(",")]);
        for repository in &self.repositories {
            command.args(["--repository", repository]);
        }
        for key in &self.keys {
            command.arg("--key").arg(key);
        }
        for lay in &self.lay {
            command.args(["--lay", lay]);
        }
        if let Some(kernel) = &self.kernel {
            command.args(["--kernel", kernel]);
        }
        if let Some(apk) = &self.apk {
            command.arg("--apk").arg(apk);
        }
        let firmware = hardware.firmware.iter().filter_map(|it| it.alpine.clone());
        let firmware = firmware.filter(|_| self.without_firmware).collect();
        for (option, names) in
            [("--service", &self.services), ("--package", &self.packages), ("--without", &firmware)]
        {
            if !names.is_empty() {
                command.args([option, &names.join(",")]);
            }
        }
        let program = std::env::current_exe().context("cannot find this program")?;
        let status = command.arg("--node-image").arg(program).arg(root).status();
        let status = status.with_context(|| format!("cannot run {}", script.display()))?;
        if !status.success() {
            bail!("{} failed ({status})", script.display());
        }
        Ok(())
    }

    /// A root that is there.
    fn take(
        &self,
        hardware: &Hardware,
        directory: &Path,
        profile: Option<&str>,
        lay: &[(PathBuf, String)],
        output: &Path,
    ) -> Result<Tree> {
        let mut tree = Tree::default();
        tree.lay(directory, "").with_context(|| {
            format!(
                "cannot take the root {}: --base is debian, alpine, nix or a directory",
                directory.display()
            )
        })?;
        let Some(Entry::File { content, .. }) = tree.entry(NODE) else {
            bail!("{} has no /{NODE}: it is no root with Cooper in it", directory.display());
        };
        let text = content.read()?;
        if let Some(profile) = profile.filter(|it| !String::from_utf8_lossy(&text).contains(*it)) {
            bail!(
                "/{NODE} of {} does not have the profile {profile}, by which this image's services \
                 come up: add it, and compile the graph again (alpine/image --profile …,{profile})",
                directory.display()
            );
        }
        for (path, target) in lay {
            tree.lay(path, target)?;
        }
        if !lay.is_empty() {
            // A service may be among it.
            let svc = svc(&tree, &hardware.architecture)?;
            graph::compile(&mut tree, &svc, &beside(output, ".graph"))?;
        }
        self.authorize(&mut tree)?;
        Ok(tree)
    }

    fn laid(&self) -> Vec<(PathBuf, String)> {
        let split = |lay: &String| {
            let (path, target) = laid(lay);
            (PathBuf::from(path), target.to_owned())
        };
        self.lay.iter().map(split).collect()
    }

    fn authorize(&self, tree: &mut Tree) -> Result<()> {
        let Some(path) = &self.authorized_key else { return Ok(()) };
        let content = Content::Host(path.clone());
        // Read now: a file that is not there is no disk that nobody can enter.
        content.read()?;
        tree.insert("root/.ssh", Entry::Directory(0o700))?;
        tree.insert("root/.ssh/authorized_keys", Entry::File { mode: 0o600, content })
    }
}

/// The root's own `svc` where that runs here, else one of the checkout.
fn svc(root: &Tree, architecture: &str) -> Result<PathBuf> {
    match root.entry("usr/bin/svc") {
        Some(Entry::File { content: Content::Host(path), .. })
            if architecture == std::env::consts::ARCH =>
        {
            Ok(path.clone())
        }
        _ => Checkout::find("without --lay, the root's graph is taken as it is")?.svc(),
    }
}
