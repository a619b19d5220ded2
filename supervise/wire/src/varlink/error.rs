//! What can be answered instead of a reply.

use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// An error reply, as it is on the wire: `{"error": NAME, "parameters": {…}}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "error", content = "parameters")]
pub enum Error {
    /// No service has this name.
    #[serde(rename = "org.cooper.Services.UnknownService")]
    UnknownService {
        /// What was asked for.
        name: String,
        /// One that looks like it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// Root and operators only.
    #[serde(rename = "org.cooper.Services.NotAllowed")]
    NotAllowed {},
    /// Stopping reaches these services, too, which were not named.
    #[serde(rename = "org.cooper.Services.WouldStop")]
    WouldStop {
        /// In the order in which they would stop.
        names: Vec<String>,
    },
    /// The graph is not accepted, and the old one stays in force.
    #[serde(rename = "org.cooper.Services.InvalidGraph")]
    InvalidGraph {
        /// What is wrong with it.
        reason: String,
    },
    /// Not now.
    #[serde(rename = "org.cooper.Services.Busy")]
    Busy {
        /// Until when.
        reason: String,
    },
    /// What was asked for did not happen.
    #[serde(rename = "org.cooper.Services.Failed")]
    Failed {
        /// To whom.
        name: String,
        /// Why.
        why: String,
    },
    /// What was asked for has not happened in time; it goes on.
    #[serde(rename = "org.cooper.Services.TimedOut")]
    TimedOut {
        /// To whom.
        name: String,
        /// What it was doing.
        why: String,
    },
    /// There is no such interface here.
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound {
        /// What was asked for.
        interface: String,
    },
    /// The interface has no such method.
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound {
        /// What was called.
        method: String,
    },
    /// It has, and this implementation does not.
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    MethodNotImplemented {
        /// What was called.
        method: String,
    },
    /// A parameter is missing, unknown, or not of its type.
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter {
        /// Which, or what is wrong with it.
        parameter: String,
    },
    /// Known from other services; ours says [`Error::NotAllowed`].
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    PermissionDenied {},
    /// The method answers with a stream, and the call did not ask for `more`.
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore {},
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownService { name, nearest: None } => {
                write!(to, "no service is named {name}")
            }
            Self::UnknownService { name, nearest: Some(nearest) } => {
                write!(to, "no service is named {name}; did you mean {nearest}?")
            }
            Self::NotAllowed {} | Self::PermissionDenied {} => {
                write!(to, "only root and operators may do this")
            }
            Self::WouldStop { names } => {
                write!(to, "it would also stop {}", names.join(", "))
            }
            Self::InvalidGraph { reason } => write!(to, "the graph is not valid: {reason}"),
            Self::Busy { reason } => write!(to, "not now: {reason}"),
            Self::Failed { name, why } => write!(to, "{name}: {why}"),
            Self::TimedOut { name, why } => write!(to, "{name}: not in time: {why}"),
            Self::InterfaceNotFound { interface } => write!(to, "no interface {interface}"),
            Self::MethodNotFound { method } => write!(to, "no method {method}"),
            Self::MethodNotImplemented { method } => write!(to, "no {method} here"),
            Self::InvalidParameter { parameter } => write!(to, "invalid parameter: {parameter}"),
            Self::ExpectedMore {} => write!(to, "the method answers with a stream: set more"),
        }
    }
}

impl core::error::Error for Error {}
