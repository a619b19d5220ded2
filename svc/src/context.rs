//! What every verb is given.

use crate::{paths::Paths, render::Screen};

/// Where things are, and where to print.
pub struct Context {
    /// Where things are.
    pub paths: Paths,
    /// Where to print.
    pub screen: Screen,
}

impl Context {
    /// For this process, its environment and its terminal.
    pub fn new(user: bool) -> Self {
        Self { paths: Paths::new(user), screen: Screen::of_process() }
    }
}
