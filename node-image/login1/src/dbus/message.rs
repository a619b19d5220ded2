//! Whole messages: a head of sixteen bytes, fields, a body.

use super::{Malformed, Reader, Writer};

/// Longer messages are not read. The protocol allows 128 MiB; the longest call that anyone makes
/// here is a tenth of this.
pub const MESSAGE_MAX: usize = 4096;
/// The head: byte order, type, flags, version, length of the body, serial, length of the fields.
const HEAD: usize = 16;
/// The only version of the protocol.
const VERSION: u8 = 1;
/// Flag: no reply is wanted.
const NO_REPLY: u8 = 1;

/// What a message is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// A call of a method.
    #[default]
    Call,
    /// What it returns.
    Return,
    /// Or why it does not.
    Error,
    /// A signal, which nobody answers.
    Signal,
}

/// A message's fields; those that are absent are empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header<'a> {
    /// What it is.
    pub kind: Kind,
    /// Nobody waits for the reply.
    pub no_reply: bool,
    /// Its number, of its sender; never 0.
    pub serial: u32,
    /// The number of the call that this answers.
    pub reply_to: u32,
    /// The object.
    pub path: &'a str,
    /// The interface; a call may leave it out.
    pub interface: &'a str,
    /// The method or signal.
    pub member: &'a str,
    /// The error's name.
    pub error: &'a str,
    /// For whom it is.
    pub destination: &'a str,
    /// From whom it is.
    pub sender: &'a str,
    /// The types of the body's values.
    pub signature: &'a str,
    /// How many descriptors travel with it.
    pub descriptors: u32,
}

/// A message that was received.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its fields.
    pub header: Header<'a>,
    /// Its values.
    pub body: Reader<'a>,
}

/// How long the message is that begins with these bytes; none: more of them are needed to say.
///
/// # Errors
/// When it is none, or too long.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(head) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    let [order, _, _, version, ..] = *head;
    if version != VERSION {
        return Err(Malformed("not version 1 of the protocol"));
    }
    let mut numbers = Reader::new(head, is_big_endian(order)?);
    numbers.take(4)?;
    let body = usize::try_from(numbers.u32()?).unwrap_or(usize::MAX);
    numbers.u32()?;
    let fields = usize::try_from(numbers.u32()?).unwrap_or(usize::MAX);
    let before = HEAD.checked_add(fields).and_then(|end| end.checked_next_multiple_of(8));
    match before.and_then(|before| before.checked_add(body)) {
        Some(length) if length <= MESSAGE_MAX => Ok(Some(length)),
        Some(_) | None => Err(Malformed("it is too long")),
    }
}

impl<'a> Message<'a> {
    /// Of exactly the bytes of one message.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let order = *bytes.first().ok_or(Malformed("nothing"))?;
        let big_endian = is_big_endian(order)?;
        let mut reader = Reader::new(bytes, big_endian);
        reader.take(1)?;
        let kind = reader.u8()?;
        let flags = reader.u8()?;
        reader.take(5)?;
        let serial = reader.u32()?;
        let mut header = Header { serial, no_reply: flags & NO_REPLY != 0, ..Header::default() };
        let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        let end = reader.position().checked_add(length).ok_or(Malformed("it is too long"))?;
        while reader.position() < end {
            reader.align(8)?;
            field(&mut reader, &mut header)?;
        }
        if reader.position() != end {
            return Err(Malformed("a field beyond its list"));
        }
        reader.align(8)?;
        let body = bytes.get(reader.position()..).unwrap_or_default();
        header.kind = kind_of(kind, &header)?;
        if serial == 0 {
            return Err(Malformed("serial 0"));
        }
        Ok(Self { header, body: Reader::new(body, big_endian) })
    }
}

/// One field: a byte that names it, and a value with its type.
fn field<'a>(reader: &mut Reader<'a>, header: &mut Header<'a>) -> Result<(), Malformed> {
    let name = reader.u8()?;
    let signature = reader.signature()?;
    match (name, signature) {
        (1, "o") => header.path = reader.string()?,
        (2, "s") => header.interface = reader.string()?,
        (3, "s") => header.member = reader.string()?,
        (4, "s") => header.error = reader.string()?,
        (5, "u") => header.reply_to = reader.u32()?,
        (6, "s") => header.destination = reader.string()?,
        (7, "s") => header.sender = reader.string()?,
        (8, "g") => header.signature = reader.signature()?,
        (9, "u") => header.descriptors = reader.u32()?,
        (0..=9, _) => return Err(Malformed("a field of a wrong type")),
        // Fields that we do not know are to be ignored; none of them has any other type.
        (_, "s" | "o") => drop(reader.string()?),
        (_, "g") => drop(reader.signature()?),
        (_, "u" | "i" | "b" | "h") => drop(reader.u32()?),
        (_, _) => return Err(Malformed("a field of an unknown type")),
    }
    Ok(())
}

/// Each kind has fields that it must have.
fn kind_of(kind: u8, header: &Header<'_>) -> Result<Kind, Malformed> {
    let call = !header.path.is_empty() && !header.member.is_empty();
    match kind {
        1 if call => Ok(Kind::Call),
        2 if header.reply_to != 0 => Ok(Kind::Return),
        3 if header.reply_to != 0 && !header.error.is_empty() => Ok(Kind::Error),
        4 if call && !header.interface.is_empty() => Ok(Kind::Signal),
        1..=4 => Err(Malformed("a field that it must have is missing")),
        _ => Err(Malformed("an unknown type of message")),
    }
}

fn is_big_endian(order: u8) -> Result<bool, Malformed> {
    match order {
        b'l' => Ok(false),
        b'B' => Ok(true),
        _ => Err(Malformed("neither byte order")),
    }
}

impl Header<'_> {
    /// The whole message, with this body.
    #[must_use]
    pub fn encode(&self, body: &Writer) -> Vec<u8> {
        let body = body.clone().into_bytes();
        let kind = match self.kind {
            Kind::Call => 1,
            Kind::Return => 2,
            Kind::Error => 3,
            Kind::Signal => 4,
        };
        let mut message = Writer::default();
        message.u8(b'l').u8(kind).u8(if self.no_reply { NO_REPLY } else { 0 }).u8(VERSION);
        message.u32(u32::try_from(body.len()).unwrap_or(0)).u32(self.serial);
        message.array(8, |fields| self.fields(fields));
        message.align(8);
        message.raw(&body);
        message.into_bytes()
    }

    fn fields(&self, fields: &mut Writer) {
        let texts = [
            (1, "o", self.path),
            (2, "s", self.interface),
            (3, "s", self.member),
            (4, "s", self.error),
            (6, "s", self.destination),
            (7, "s", self.sender),
        ];
        for (name, signature, value) in texts.into_iter().filter(|field| !field.2.is_empty()) {
            fields.align(8);
            fields.u8(name).signature(signature).string(value);
        }
        for (name, value) in [(5, self.reply_to), (9, self.descriptors)] {
            if value != 0 {
                fields.align(8);
                fields.u8(name).signature("u").u32(value);
            }
        }
        if !self.signature.is_empty() {
            fields.align(8);
            fields.u8(8).signature("g").signature(self.signature);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header<'static> {
        Header {
            serial: 7,
            path: "/a",
            interface: "b.c",
            member: "D",
            destination: ":1.2",
            signature: "sb",
            ..Header::default()
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut body = Writer::default();
        body.string("text").bool(true);
        let mut header = header();
        for (kind, reply_to, error) in
            [(Kind::Call, 0, ""), (Kind::Return, 3, ""), (Kind::Error, 3, "e.f")]
        {
            header = Header { kind, reply_to, error, ..header };
            let bytes = header.encode(&body);
            assert_eq!(length(&bytes).unwrap(), Some(bytes.len()));
            let mut message = Message::decode(&bytes).unwrap();
            assert_eq!(message.header, header);
            assert_eq!(message.body.string().unwrap(), "text");
            assert_eq!(message.body.u32().unwrap(), 1);
            assert!(message.body.is_at_end());
        }
    }

    #[test]
    fn both_byte_orders_are_read() {
        // A GetId call of a big-endian machine, by hand.
        let mut bytes = b"B\x01\x00\x01\0\0\0\0\0\0\0\x01\0\0\0\x1e".to_vec();
        bytes.extend(b"\x01\x01o\0\0\0\0\x01/\0\0\0\0\0\0\0\x03\x01s\0\0\0\0\x05GetId\0\0\0");
        let message = Message::decode(&bytes).unwrap();
        assert_eq!((message.header.path, message.header.member), ("/", "GetId"));
        assert_eq!(length(&bytes).unwrap(), Some(bytes.len()));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_read() {
        let mut bytes = header().encode(&Writer::default());
        for at in [4, 12] {
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(length(&bytes), Err(Malformed("it is too long")));
            bytes[at..at + 4].copy_from_slice(&0_u32.to_le_bytes());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(mut bytes: Vec<u8>, plausible: bool) {
            if plausible && bytes.len() > 4 {
                bytes[0] = b'l';
                bytes[1] &= 3;
                bytes[3] = 1;
            }
            let _ = (length(&bytes), Message::decode(&bytes).map(|_| ()));
        }

        #[test]
        fn no_change_of_a_good_one_is_too_strange(
            at in 0_usize..128, byte: u8, cut in 0_usize..160,
        ) {
            let mut bytes = header().encode(Writer::default().string("text").bool(true));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            let _ = (length(&bytes), Message::decode(&bytes).map(|_| ()));
        }
    }
}
