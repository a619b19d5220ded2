//! What clients may ask: calls, their arguments, and how they are refused.

use crate::dbus::{Kind, Message, Reader, Writer};
use crate::lock::Refusal;

/// The bus itself, whose part we play.
pub const DBUS: &str = "org.freedesktop.DBus";
/// logind's name.
pub const LOGIN1: &str = "org.freedesktop.login1";
/// Its object.
pub const LOGIN1_PATH: &str = "/org/freedesktop/login1";
/// Its interface.
pub const MANAGER: &str = "org.freedesktop.login1.Manager";
/// Our own name on this connection.
pub const OWN_NAME: &str = ":1.0";
/// Our own interface: announcing a shutdown. No other program calls it.
pub const INTERFACE: &str = "org.cooper.Shutdown";
/// Its object.
pub const PATH: &str = "/org/cooper/Shutdown";
/// The properties of logind that exist here.
pub const PROPERTIES: [&str; 4] =
    ["InhibitDelayMaxUSec", "PreparingForShutdown", "BlockInhibited", "DelayInhibited"];

const PROPERTIES_INTERFACE: &str = "org.freedesktop.DBus.Properties";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";

/// A call that is understood.
#[derive(Clone, Debug)]
pub enum Call<'a> {
    /// What is my name?
    Hello,
    /// Tell me such signals.
    AddMatch(&'a str),
    /// No longer.
    RemoveMatch(&'a str),
    /// Which bus is this?
    GetId,
    /// A property of logind.
    Get(&'a str),
    /// All of them.
    GetAll,
    /// A lock.
    Inhibit {
        /// On what.
        what: &'a str,
        /// Whose.
        who: &'a str,
        /// What for.
        why: &'a str,
        /// `delay`.
        mode: &'a str,
    },
    /// Who holds one?
    ListInhibitors,
    /// A shutdown.
    Private(Private),
    /// A question that has one answer.
    Fixed(Reply),
}

/// Our own methods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Private {
    /// A shutdown begins; the caller waits for the locks. If it hangs up, there is none.
    Prepare,
    /// The caller has waited; the shutdown goes on.
    Proceed,
    /// There is none.
    Cancel,
}

impl Private {
    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "Prepare",
            Self::Proceed => "Proceed",
            Self::Cancel => "Cancel",
        }
    }
}

/// What a call returns.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Types.
    pub signature: &'static str,
    /// Values.
    pub body: Writer,
    /// Descriptors.
    pub descriptors: u32,
}

impl Reply {
    /// A text.
    pub fn text(text: &str) -> Self {
        let mut body = Writer::default();
        body.string(text);
        Self { signature: "s", body, descriptors: 0 }
    }

    /// The one descriptor that comes along.
    pub fn descriptor() -> Self {
        let mut body = Writer::default();
        body.u32(0);
        Self { signature: "h", body, descriptors: 1 }
    }

    /// A value with its type.
    pub fn variant(
        write: impl FnOnce(&mut Writer) -> Result<(), Refused>,
    ) -> Result<Self, Refused> {
        let mut body = Writer::default();
        write(&mut body)?;
        Ok(Self { signature: "v", body, descriptors: 0 })
    }

    fn bool(value: bool) -> Self {
        let mut body = Writer::default();
        body.bool(value);
        Self { signature: "b", body, descriptors: 0 }
    }
}

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The error's name.
    pub name: &'static str,
    /// For people.
    pub text: &'static str,
}

impl Refused {
    /// It cannot be done.
    pub const fn failed(text: &'static str) -> Self {
        Self { name: "org.freedesktop.DBus.Error.Failed", text }
    }

    /// There is too much of it.
    pub const fn limit(text: &'static str) -> Self {
        Self { name: "org.freedesktop.DBus.Error.LimitsExceeded", text }
    }

    /// logind has more of them.
    pub const fn unknown_property() -> Self {
        let name = "org.freedesktop.DBus.Error.UnknownProperty";
        Self { name, text: "there is no such property" }
    }

    /// A match rule that is none.
    pub const fn invalid_rule() -> Self {
        let name = "org.freedesktop.DBus.Error.MatchRuleInvalid";
        Self { name, text: "this is no match rule" }
    }

    /// A match rule that it does not have.
    pub const fn unknown_rule() -> Self {
        let name = "org.freedesktop.DBus.Error.MatchRuleNotFound";
        Self { name, text: "it has no such match rule" }
    }

    const fn arguments() -> Self {
        let name = "org.freedesktop.DBus.Error.InvalidArgs";
        Self { name, text: "these are not its arguments" }
    }

    const fn unknown_method() -> Self {
        let name = "org.freedesktop.DBus.Error.UnknownMethod";
        let text = "there is no such method: this is no logind; `svc` stops a node";
        Self { name, text }
    }

    const fn unknown_service() -> Self {
        let name = "org.freedesktop.DBus.Error.ServiceUnknown";
        Self { name, text: "nobody has this name: this is no bus" }
    }

    const fn no_owner() -> Self {
        Self { name: "org.freedesktop.DBus.Error.NameHasNoOwner", text: "nobody has this name" }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(text) => Self { name: "org.freedesktop.DBus.Error.InvalidArgs", text },
            Refusal::Unsupported(text) => {
                Self { name: "org.freedesktop.DBus.Error.NotSupported", text }
            }
        }
    }
}

impl<'a> Call<'a> {
    /// What this message asks. None: nothing, it is no call.
    pub fn of(message: &Message<'a>) -> Option<Result<Self, Refused>> {
        match message.header.kind {
            Kind::Call => Some(Self::parse(message)),
            Kind::Return | Kind::Error | Kind::Signal => None,
        }
    }

    fn parse(message: &Message<'a>) -> Result<Self, Refused> {
        let header = &message.header;
        if !["", DBUS, LOGIN1, OWN_NAME].contains(&header.destination) {
            return Err(Refused::unknown_service());
        }
        let mut body = message.body;
        let arguments = Arguments { signature: header.signature, body: &mut body };
        match (header.interface, header.member) {
            (DBUS | "", "Hello") => arguments.none(Self::Hello),
            (DBUS | "", "AddMatch") => Ok(Self::AddMatch(arguments.one()?)),
            (DBUS | "", "RemoveMatch") => Ok(Self::RemoveMatch(arguments.one()?)),
            (DBUS | "", "GetId") => arguments.none(Self::GetId),
            (DBUS | "", "NameHasOwner") => {
                let owned = [DBUS, LOGIN1, OWN_NAME].contains(&arguments.one()?);
                Ok(Self::Fixed(Reply::bool(owned)))
            }
            (DBUS | "", "GetNameOwner") => match arguments.one()? {
                LOGIN1 | OWN_NAME => Ok(Self::Fixed(Reply::text(OWN_NAME))),
                DBUS => Ok(Self::Fixed(Reply::text(DBUS))),
                _ => Err(Refused::no_owner()),
            },
            (PEER | "", "Ping") => arguments.none(Self::Fixed(Reply::default())),
            (INTROSPECTABLE | "", "Introspect") => {
                arguments.none(Self::Fixed(Reply::text(INTROSPECTION)))
            }
            (PROPERTIES_INTERFACE, "Get") => {
                let [interface, property] = arguments.several()?;
                let known = interface == MANAGER && PROPERTIES.contains(&property);
                known.then_some(Self::Get(property)).ok_or(Refused::unknown_property())
            }
            (PROPERTIES_INTERFACE, "GetAll") => {
                let known = arguments.one()? == MANAGER;
                known.then_some(Self::GetAll).ok_or(Refused::unknown_property())
            }
            (MANAGER, "Inhibit") => {
                let [what, who, why, mode] = arguments.several()?;
                Ok(Self::Inhibit { what, who, why, mode })
            }
            (MANAGER, "ListInhibitors") => arguments.none(Self::ListInhibitors),
            (INTERFACE, member) => {
                let all = [Private::Prepare, Private::Proceed, Private::Cancel];
                let found = all.into_iter().find(|private| private.name() == member);
                arguments.none(Self::Private(found.ok_or(Refused::unknown_method())?))
            }
            (_, _) => Err(Refused::unknown_method()),
        }
    }
}

/// A call's arguments; all of ours are texts.
struct Arguments<'r, 'a> {
    signature: &'a str,
    body: &'r mut Reader<'a>,
}

impl<'a> Arguments<'_, 'a> {
    fn none(self, call: Call<'a>) -> Result<Call<'a>, Refused> {
        self.several::<0>().map(|_| call)
    }

    fn one(self) -> Result<&'a str, Refused> {
        self.several().map(|[text]| text)
    }

    fn several<const N: usize>(self) -> Result<[&'a str; N], Refused> {
        let mut texts = [""; N];
        if self.signature.len() != N || self.signature.bytes().any(|kind| kind != b's') {
            return Err(Refused::arguments());
        }
        for text in &mut texts {
            *text = self.body.string().map_err(|_| Refused::arguments())?;
        }
        self.body.is_at_end().then_some(texts).ok_or(Refused::arguments())
    }
}

/// For `busctl introspect`.
const INTROSPECTION: &str = r#"<!DOCTYPE node PUBLIC
"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
 <interface name="org.freedesktop.login1.Manager">
  <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
  <property name="InhibitDelayMaxUSec" type="t" access="read"/>
  <property name="PreparingForShutdown" type="b" access="read"/>
  <property name="BlockInhibited" type="s" access="read"/>
  <property name="DelayInhibited" type="s" access="read"/>
  <method name="Inhibit">
   <arg name="what" type="s" direction="in"/>
   <arg name="who" type="s" direction="in"/>
   <arg name="why" type="s" direction="in"/>
   <arg name="mode" type="s" direction="in"/>
   <arg name="pipe_fd" type="h" direction="out"/>
  </method>
  <method name="ListInhibitors">
   <arg name="inhibitors" type="a(ssssuu)" direction="out"/>
  </method>
  <signal name="PrepareForShutdown"><arg name="start" type="b"/></signal>
 </interface>
</node>
"#;
