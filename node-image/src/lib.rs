//! Node images: files from several places, laid over each other, written as an initramfs, a disk,
//! a container image or a package; and a driver for the virtual machine that boots one.
//!
//! Not here: fetching packages and building programs (the scripts beside this crate do that), and
//! what a service is (`svc compile`).
//!
//! Invariant: the same files give the same bytes. Paths are sorted, and no date, owner, inode
//! number or host name of the machine that builds reaches an image. (`ext4` is the exception.)

#![forbid(unsafe_code)]

pub mod apk;
pub mod base;
pub mod checkout;
pub mod debian;
pub mod disk;
pub mod ext4;
pub mod graph;
pub mod initramfs;
pub mod inspect;
pub mod modules;
pub mod netboot;
pub mod oci;
pub mod output;
pub mod packing;
pub mod progress;
pub mod sbom;
pub mod tool;
pub mod tree;
pub mod vm;
