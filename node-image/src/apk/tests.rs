#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use flate2::bufread::GzDecoder;
use sha1::Sha1;

use super::index::base64;
use super::*;

/// A key, and a place for files.
struct Shop {
    directory: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shop = Self { directory };
        let made = Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(shop.path("test.rsa"))
            .arg("2048")
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn package(&self, about: &About) -> Vec<u8> {
        let mut bytes = Vec::new();
        package(&sample(), about, &self.path("test.rsa"), &mut bytes).unwrap();
        bytes
    }

    /// Whether `openssl` agrees that the member before `signed` vouches for it.
    fn vouches(&self, signature: &[u8], signed: &[u8]) -> bool {
        let mut archive = tar::Archive::new(signature);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some(".SIGN.RSA256.test.rsa.pub"));
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        fs::write(self.path("signature"), bytes).unwrap();
        fs::write(self.path("signed"), signed).unwrap();
        let public = self.path("public");
        let key = self.path("test.rsa");
        let mut export = Command::new("openssl");
        export.args(["rsa", "-pubout", "-in"]).arg(key).arg("-out").arg(&public);
        assert!(export.output().unwrap().status.success());
        let mut verify = Command::new("openssl");
        verify.args(["dgst", "-sha256", "-verify"]).arg(public).arg("-signature");
        verify.arg(self.path("signature")).arg(self.path("signed"));
        verify.output().unwrap().status.success()
    }
}

fn sample() -> Tree {
    let mut tree = Tree::default();
    let content = Content::Bytes(b"program".to_vec());
    tree.insert("usr/bin/svc", Entry::File { mode: 0o755, content }).unwrap();
    tree.insert("sbin/reboot", Entry::Symlink("../usr/bin/svc".into())).unwrap();
    tree
}

fn about() -> About {
    About {
        info: "pkgname = cooper\npkgver = 0.1.0-r0\narch = x86_64\ndepend = a\ndepend = b>=2\n"
            .into(),
        scripts: vec![("post-install".into(), b"#!/bin/sh\n".to_vec())],
        date: 1_700_000_000,
    }
}

/// The members of a package or an index: each as it is packed, and unpacked.
fn members(mut bytes: &[u8]) -> Vec<(&[u8], Vec<u8>)> {
    let mut members = Vec::new();
    while !bytes.is_empty() {
        let mut decoder = GzDecoder::new(bytes);
        let mut plain = Vec::new();
        decoder.read_to_end(&mut plain).unwrap();
        let rest = decoder.into_inner();
        members.push((&bytes[..bytes.len().saturating_sub(rest.len())], plain));
        bytes = rest;
    }
    members
}

#[test]
fn a_package_is_a_signature_a_control_member_and_files() {
    let shop = Shop::open();
    let bytes = shop.package(&about());
    let members = members(&bytes);
    let [(_, signature), (packed, control), (data, files)] = members.as_slice() else {
        panic!("{} members", members.len());
    };
    assert!(shop.vouches(signature, packed));
    // A header without a name ends an archive, for apk.
    assert!(files.chunks(512).take(6).all(|block| block[0] != 0));
    // Read as one archive, as apk does, it goes on to the end of the third.
    let whole = [signature.as_slice(), control, files].concat();
    let mut archive = tar::Archive::new(whole.as_slice());
    let mut seen = Vec::new();
    let mut info = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        if path == ".PKGINFO" {
            entry.read_to_string(&mut info).unwrap();
        }
        assert_eq!(entry.header().mtime().unwrap(), 1_700_000_000, "{path}");
        let hash = entry.pax_extensions().unwrap().and_then(|mut all| {
            all.find_map(|it| it.ok().filter(|it| it.key() == Ok("APK-TOOLS.checksum.SHA1")))
                .map(|it| it.value().unwrap().to_owned())
        });
        seen.push((path, entry.header().mode().unwrap(), hash));
    }
    let hash = |bytes: &[u8]| {
        let hash = Sha1::digest(bytes);
        Some(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let expected = [
        (".SIGN.RSA256.test.rsa.pub", 0o644, None),
        (".PKGINFO", 0o644, None),
        (".post-install", 0o755, None),
        ("sbin/", 0o755, None),
        ("sbin/reboot", 0o777, hash(b"../usr/bin/svc")),
        ("usr/", 0o755, None),
        ("usr/bin/", 0o755, None),
        ("usr/bin/svc", 0o755, hash(b"program")),
    ];
    assert_eq!(seen, expected.map(|(path, mode, hash)| (path.to_owned(), mode, hash)));
    let digest: String = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(field(&info, "datahash"), Some(digest.as_str()));
    assert_eq!(field(&info, "size"), Some("21"), "the program, and the link");
}

#[test]
fn a_signature_is_for_one_package_only() {
    let shop = Shop::open();
    let bytes = shop.package(&about());
    let members = members(&bytes);
    let other = About { date: 1, ..about() };
    let other = shop.package(&other);
    let others = self::members(&other);
    assert!(!shop.vouches(&members[0].1, others[1].0));
}

#[test]
fn an_index_names_each_package_by_its_control_member() {
    let shop = Shop::open();
    let path = shop.path("cooper-0.1.0-r0.apk");
    let mut written = Vec::new();
    let key = shop.path("test.rsa");
    // A package for every architecture lies where those for one do.
    let about = About { info: about().info.replace("x86_64", "noarch"), ..about() };
    let bytes = shop.package(&about);
    fs::write(&path, &bytes).unwrap();
    let repository = Repository { description: "ours", architecture: "x86_64" };
    index(&[path.clone(), path], repository, (&key, 0), &mut written).unwrap();
    let parts = members(&written);
    assert_eq!(parts.len(), 2);
    assert!(shop.vouches(&parts[0].1, parts[1].0));
    let mut archive = tar::Archive::new(parts[1].1.as_slice());
    let mut texts = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut text = String::new();
        entry.unwrap().read_to_string(&mut text).unwrap();
        texts.push(text);
    }
    let identity = base64(&Sha1::digest(members(&bytes)[1].0));
    let expected = format!(
        "C:Q1{identity}\nP:cooper\nV:0.1.0-r0\nA:x86_64\nI:21\nt:1700000000\nS:{}\nD:a b>=2\n\n",
        bytes.len()
    );
    assert_eq!(texts, ["ours".to_owned(), expected]);
}

#[test]
fn the_same_files_make_the_same_package() {
    let shop = Shop::open();
    assert_eq!(shop.package(&about()), shop.package(&about()));
}

#[test]
fn what_apk_would_not_take_is_refused() {
    let shop = Shop::open();
    let key = shop.path("test.rsa");
    let refused = |about: &About, key: &Path| {
        package(&sample(), about, key, Vec::new()).unwrap_err().to_string()
    };
    let nameless = About { info: "pkgver = 1\narch = x86_64\n".into(), ..about() };
    assert!(refused(&nameless, &key).contains("no line pkgname"));
    let script = About { scripts: vec![("postinstall".into(), Vec::new())], ..about() };
    assert!(refused(&script, &key).contains("post-install"));
    assert!(refused(&about(), &shop.path("test.pem")).contains(".rsa"));
    // What openssl says is told.
    let error = refused(&about(), &shop.path("missing.rsa"));
    assert!(error.contains("missing.rsa: "), "{error}");
}

#[test]
fn base_64_is_padded() {
    let known = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
    for (plain, text) in known {
        assert_eq!(base64(plain.as_bytes()), text);
    }
}
