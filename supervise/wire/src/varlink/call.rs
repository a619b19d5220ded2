//! Calls and replies: the envelope, the methods, and each method's parameters.
//!
//! A receiver reads the envelope first, with its own JSON type for `P`, then looks up the
//! [`Method`], then reads the parameters as that method's type; so that each of the three can be
//! refused by its own error. A parameter that is unknown is an error, one that is absent is its
//! type's default where the IDL marks it `?`.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use super::{
    Change, Ending, Error, INTERFACE, Link, Order, SERVICE_INTERFACE, Service, Steps, Trace,
};

/// A call's envelope.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Call<P> {
    /// `INTERFACE.METHOD`.
    pub method: String,
    /// The method's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<P>,
    /// The caller takes more than one reply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The caller wants no reply at all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oneway: bool,
    /// The caller wants the connection for another protocol; we never do that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub upgrade: bool,
}

/// A reply's envelope, when all is well. An error's is [`Error`] itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Reply<P> {
    /// The method's own.
    pub parameters: P,
    /// Another reply to the same call follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
}

/// Every method of both interfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Answers with [`ListReply`].
    List,
    /// [`StatusParameters`]; answers with [`ListReply`].
    Status,
    /// [`StartParameters`]; answers with [`PlanReply`].
    Start,
    /// [`StopParameters`]; answers with [`PlanReply`].
    Stop,
    /// [`RestartParameters`]; answers with [`PlanReply`].
    Restart,
    /// [`ReloadParameters`]; answers with [`PlanReply`].
    Reload,
    /// [`SignalParameters`]; answers with [`Nothing`].
    Signal,
    /// [`ApplyParameters`]; answers with [`ApplyReply`].
    Apply,
    /// [`PlanParameters`]; answers with [`PlanReply`].
    Plan,
    /// [`ExplainParameters`]; answers with [`ExplainReply`].
    Explain,
    /// [`WatchParameters`]; answers with many [`ListReply`].
    Watch,
    /// [`ShutdownParameters`]; answers with [`Nothing`].
    Shutdown,
    /// Answers with [`BootTraceReply`].
    BootTrace,
    /// Answers with [`InfoReply`].
    GetInfo,
    /// [`DescriptionParameters`]; answers with [`DescriptionReply`].
    GetInterfaceDescription,
}

impl Method {
    /// All of them, in the IDL's order.
    pub const ALL: [Self; 15] = [
        Self::List,
        Self::Status,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Reload,
        Self::Signal,
        Self::Apply,
        Self::Plan,
        Self::Explain,
        Self::Watch,
        Self::Shutdown,
        Self::BootTrace,
        Self::GetInfo,
        Self::GetInterfaceDescription,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "org.cooper.Services.List",
            Self::Status => "org.cooper.Services.Status",
            Self::Start => "org.cooper.Services.Start",
            Self::Stop => "org.cooper.Services.Stop",
            Self::Restart => "org.cooper.Services.Restart",
            Self::Reload => "org.cooper.Services.Reload",
            Self::Signal => "org.cooper.Services.Signal",
            Self::Apply => "org.cooper.Services.Apply",
            Self::Plan => "org.cooper.Services.Plan",
            Self::Explain => "org.cooper.Services.Explain",
            Self::Watch => "org.cooper.Services.Watch",
            Self::Shutdown => "org.cooper.Services.Shutdown",
            Self::BootTrace => "org.cooper.Services.BootTrace",
            Self::GetInfo => "org.varlink.service.GetInfo",
            Self::GetInterfaceDescription => "org.varlink.service.GetInterfaceDescription",
        }
    }

    /// The method of this name, or the error that Varlink has for a name that is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        if let Some(method) = Self::ALL.into_iter().find(|method| method.name() == name) {
            return Ok(method);
        }
        let (interface, _) = name.rsplit_once('.').unwrap_or_default();
        if interface == INTERFACE || interface == SERVICE_INTERFACE {
            return Err(Error::MethodNotFound { method: name.into() });
        }
        Err(Error::InterfaceNotFound { interface: interface.into() })
    }

    /// It takes root or an operator; the others only read. (A mere `plan` or `dry_run` reads.)
    #[must_use]
    pub const fn changes(self) -> bool {
        match self {
            Self::Start
            | Self::Stop
            | Self::Restart
            | Self::Reload
            | Self::Signal
            | Self::Apply
            | Self::Shutdown => true,
            Self::List
            | Self::Status
            | Self::Plan
            | Self::Explain
            | Self::Watch
            | Self::BootTrace
            | Self::GetInfo
            | Self::GetInterfaceDescription => false,
        }
    }
}

/// No parameters: `List`, `BootTrace`, `GetInfo`, and replies that only say yes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Of `Status`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StatusParameters {
    /// Whose.
    pub names: Vec<String>,
}

/// Of `Start`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StartParameters {
    /// Whom.
    pub names: Vec<String>,
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<bool>,
    /// Answer when it has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// But not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
}

/// Of `Stop`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StopParameters {
    /// Whom.
    pub names: Vec<String>,
    /// Their dependents as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<bool>,
    /// Answer when it has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// But not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
}

/// Of `Restart`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RestartParameters {
    /// Whom.
    pub names: Vec<String>,
    /// All that depend on them as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_dependents: Option<bool>,
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<bool>,
    /// Answer when it has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// But not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
}

/// Of `Reload`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadParameters {
    /// Whom.
    pub names: Vec<String>,
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<bool>,
    /// Answer when it has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// But not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
}

/// Of `Signal`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignalParameters {
    /// Whom.
    pub name: String,
    /// The kernel's number.
    pub signal: u8,
    /// Every process of the cgroup, not only the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
}

/// Of `Apply`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyParameters {
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// Of `Plan`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParameters {
    /// Which order.
    pub order: Order,
    /// To whom.
    pub names: Vec<String>,
    /// For a restart: all that depend on them as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_dependents: Option<bool>,
}

/// Of `Explain`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainParameters {
    /// Whom.
    pub name: String,
}

/// Of `Watch`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WatchParameters {
    /// Whom; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// Of `Shutdown`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownParameters {
    /// How it ends.
    pub ending: Ending,
    /// For [`Ending::Exit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u8>,
}

/// Of `GetInterfaceDescription`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptionParameters {
    /// Which interface.
    pub interface: String,
}

/// To `List`, `Status`, and again and again to `Watch`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ListReply {
    /// The services.
    pub services: Vec<Service>,
    /// When this was true.
    pub now_us: u64,
}

/// To `Start`, `Stop`, `Restart`, `Reload` and `Plan`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlanReply {
    /// What the order reaches.
    pub plan: Steps,
}

/// To `Apply`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApplyReply {
    /// In the new graph's order, then what is gone.
    pub changes: Vec<Change>,
}

/// To `Explain`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExplainReply {
    /// The service that was asked about.
    pub service: Service,
    /// From it to the root of the matter.
    pub chain: Vec<Link>,
    /// When this was true.
    pub now_us: u64,
}

/// To `BootTrace`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BootTraceReply {
    /// When init's first instruction ran.
    pub boot_us: u64,
    /// Of every service that has been started since boot, in start order.
    pub traces: Vec<Trace>,
    /// When this was true.
    pub now_us: u64,
}

/// To `GetInfo`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct InfoReply {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub product: String,
    /// Which version.
    pub version: String,
    /// Where to read more.
    pub url: String,
    /// What it speaks.
    pub interfaces: Vec<String>,
}

/// To `GetInterfaceDescription`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct DescriptionReply {
    /// The IDL text.
    pub description: String,
}

// serde hands the field over by reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}
