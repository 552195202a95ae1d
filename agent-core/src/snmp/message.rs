//! Requests to bytes, bytes to responses. The only place that knows the form of SNMP messages.
//!
//! Responses are decoded by `snmp-parser`. It refuses a whole message for single values that real devices get wrong (a
//! Counter32 with its sign bit set, a community that is not UTF-8), so what it refuses goes through a forgiving reader of ours once more.

use snmp_parser::asn1_rs::FromBer;
use snmp_parser::{ErrorStatus as Status, NetworkAddress, ObjectSyntax, PduType, SnmpMessage, SnmpPdu, VarBindValue};
use thiserror::Error;

use super::ber::{Writer, tag};
use super::{Credential, lenient};
use crate::gate::Readable;
use crate::oid::Oid;

/// Most variables taken from one response; a datagram of 64 KiB cannot honestly hold more.
pub const MAX_VARIABLES: usize = 4096;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The values of exactly these names.
    Get,
    /// The next value after each name.
    GetNext,
    /// The next value after each of the first names, and so many rows after each of the others.
    GetBulk {
        /// How many names the first are.
        non_repeaters: u8,
        /// Rows asked for, at least 1.
        max_repetitions: u8,
    },
}

/// The bytes of a request, in an SNMP context or in the default one. Versions 1 and 2c name the context behind the community.
pub fn encode_request(
    credential: &Credential,
    context: Option<&str>,
    request_id: i32,
    operation: Operation,
    names: &[Readable],
) -> Vec<u8> {
    let mut community = credential.community().unwrap_or_default().to_vec();
    if let Some(context) = context {
        community.push(b'@');
        community.extend(context.bytes());
    }
    let mut writer = Writer::default();
    writer.wrap(tag::SEQUENCE, |writer| {
        write_pdu(writer, request_id, operation, names);
        writer.octet_string(&community);
        writer.integer(credential.version() as i32);
    });
    writer.finish()
}

/// The PDU of a request.
pub(super) fn write_pdu(writer: &mut Writer, request_id: i32, operation: Operation, names: &[Readable]) {
    let (pdu_tag, second, third) = match operation {
        Operation::Get => (0xa0, 0, 0),
        Operation::GetNext => (0xa1, 0, 0),
        Operation::GetBulk { non_repeaters, max_repetitions } => {
            (0xa5, i32::from(non_repeaters), i32::from(max_repetitions))
        }
    };
    writer.wrap(pdu_tag, |writer| {
        writer.wrap(tag::SEQUENCE, |writer| {
            for name in names.iter().rev() {
                writer.wrap(tag::SEQUENCE, |writer| {
                    writer.null();
                    writer.oid(name.oid());
                });
            }
        });
        writer.integer(third);
        writer.integer(second);
        writer.integer(request_id);
    });
}

/// A value as the device sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 2578 and RFC 3416")]
pub enum Value {
    Integer(i64),
    OctetString(Box<[u8]>),
    ObjectIdentifier(Oid),
    IpAddress([u8; 4]),
    Counter32(u32),
    Gauge32(u32),
    TimeTicks(u32),
    Counter64(u64),
    Opaque(Box<[u8]>),
    Null,
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

impl Value {
    /// The number, of whatever type; `None` for what is not one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Counter32(value) | Self::Gauge32(value) | Self::TimeTicks(value) => Some(i64::from(*value)),
            Self::Counter64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The octets of a string.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::OctetString(octets) | Self::Opaque(octets) => Some(octets),
            _ => None,
        }
    }

    /// Whether there is a value at all (an exception of RFC 3416 or NULL is none).
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::Null | Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView)
    }
}

/// error-status of a response (RFC 3416, section 3), as far as readers tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 3416")]
pub enum ErrorStatus {
    NoError,
    TooBig,
    NoSuchName,
    /// Any other, with its number.
    Other(u32),
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The id of the request that it answers.
    pub request_id: i32,
    /// Whether and why the request failed.
    pub error_status: ErrorStatus,
    /// Which variable is to blame, counted from 1; 0 where none is named.
    pub error_index: u32,
    /// The variables in the order of the message.
    pub variables: Vec<(Oid, Value)>,
}

/// Why bytes are no response.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// Not BER, or not of the form of an SNMP message.
    #[error("not an SNMP message: {0}")]
    Form(&'static str),
    /// A message, but of another kind.
    #[error("an SNMP message, but not a response to a request")]
    NotAResponse,
    /// More variables than any request asks for.
    #[error("a response of more than {MAX_VARIABLES} variables")]
    TooManyVariables,
}

/// The response in a datagram.
pub fn decode_response(bytes: &[u8]) -> Result<Response, DecodeError> {
    match SnmpMessage::from_ber(bytes) {
        Ok((_, message)) => from_parser(message),
        Err(_) => lenient::decode_response(bytes),
    }
}

/// The response in a PDU of version 3. The library's reader of PDUs is its own secret, so the PDU is put into a message of
/// version 2c for it.
pub(super) fn decode_pdu(pdu: &[u8]) -> Result<Response, DecodeError> {
    let mut writer = Writer::default();
    writer.wrap(tag::SEQUENCE, |writer| {
        writer.raw(pdu);
        writer.octet_string(&[]);
        writer.integer(super::Version::V2c as i32);
    });
    decode_response(&writer.finish())
}

fn from_parser(message: SnmpMessage<'_>) -> Result<Response, DecodeError> {
    let SnmpPdu::Generic(pdu) = message.pdu else { return Err(DecodeError::NotAResponse) };
    if pdu.pdu_type != PduType::Response {
        return Err(DecodeError::NotAResponse);
    }
    if pdu.var.len() > MAX_VARIABLES {
        return Err(DecodeError::TooManyVariables);
    }
    let variables = pdu
        .var
        .into_iter()
        .map(|variable| {
            let name =
                oid_from_parser(&variable.oid).ok_or(DecodeError::Form("a name that is no object identifier"))?;
            Ok((name, value_from_parser(variable.val)))
        })
        .collect::<Result<_, _>>()?;
    Ok(Response {
        request_id: i32::try_from(pdu.req_id).map_err(|_| DecodeError::Form("a request-id out of range"))?,
        error_status: error_status(pdu.err),
        error_index: pdu.err_index,
        variables,
    })
}

fn error_status(status: Status) -> ErrorStatus {
    error_status_of(status.0)
}

pub(super) fn error_status_of(number: u32) -> ErrorStatus {
    match number {
        0 => ErrorStatus::NoError,
        1 => ErrorStatus::TooBig,
        2 => ErrorStatus::NoSuchName,
        other => ErrorStatus::Other(other),
    }
}

/// `None` for an identifier that SNMP does not have: its arcs go up to 4,294,967,295.
fn oid_from_parser(oid: &snmp_parser::asn1_rs::Oid<'_>) -> Option<Oid> {
    let arcs: Option<Vec<u32>> = oid.iter()?.map(|arc| u32::try_from(arc).ok()).collect();
    Oid::new(&arcs?)
}

fn value_from_parser(value: VarBindValue<'_>) -> Value {
    match value {
        VarBindValue::Unspecified => Value::Null,
        VarBindValue::NoSuchObject => Value::NoSuchObject,
        VarBindValue::NoSuchInstance => Value::NoSuchInstance,
        VarBindValue::EndOfMibView => Value::EndOfMibView,
        VarBindValue::Value(syntax) => match syntax {
            ObjectSyntax::Number(number) => Value::Integer(i64::from(number)),
            ObjectSyntax::String(octets) => Value::OctetString(octets.into()),
            ObjectSyntax::Object(oid) => oid_from_parser(&oid).map_or(Value::Null, Value::ObjectIdentifier),
            ObjectSyntax::IpAddress(NetworkAddress::IPv4(address)) => Value::IpAddress(address.octets()),
            ObjectSyntax::Counter32(number) => Value::Counter32(number),
            ObjectSyntax::Gauge32(number) | ObjectSyntax::UInteger32(number) => Value::Gauge32(number),
            ObjectSyntax::TimeTicks(number) => Value::TimeTicks(number),
            ObjectSyntax::Counter64(number) => Value::Counter64(number),
            ObjectSyntax::Opaque(octets) | ObjectSyntax::NsapAddress(octets) => Value::Opaque(octets.into()),
            ObjectSyntax::BitString(_)
            | ObjectSyntax::Empty
            | ObjectSyntax::UnknownSimple(_)
            | ObjectSyntax::UnknownApplication(_) => Value::Null,
        },
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A v2c response to request 5 with one variable, sysUpTime.0 = TimeTicks 258.
    const RESPONSE: &[u8] = &[
        0x30, 0x2a, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa2, 0x1d, 0x02, 0x01, 0x05,
        0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x12, 0x30, 0x10, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01,
        0x03, 0x00, 0x43, 0x04, 0x00, 0x00, 0x01, 0x02,
    ];

    fn oid(text: &str) -> Oid {
        Oid::parse(text).unwrap()
    }

    fn readable(text: &str) -> Readable {
        crate::gate::Gate::new([oid(text)]).admit(&oid(text)).unwrap()
    }

    #[test]
    fn a_request_is_what_net_snmp_sends() {
        // snmpgetnext -v2c -c public … 1.3.6.1.2.1.1.3, request-id set to 5
        let expected = [
            0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa1, 0x18, 0x02, 0x01, 0x05,
            0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0d, 0x30, 0x0b, 0x06, 0x07, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01,
            0x03, 0x05, 0x00,
        ];
        let bytes =
            encode_request(&Credential::v2c("public"), None, 5, Operation::GetNext, &[readable("1.3.6.1.2.1.1.3")]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_response_comes_apart() {
        let response = decode_response(RESPONSE).unwrap();
        assert_eq!(response.request_id, 5);
        assert_eq!(response.error_status, ErrorStatus::NoError);
        assert_eq!(response.variables, [(oid("1.3.6.1.2.1.1.3.0"), Value::TimeTicks(258))]);
    }

    #[test]
    fn a_counter_without_its_leading_zero_does_not_spoil_the_message() {
        let mut bytes = RESPONSE.to_vec();
        let at = bytes.len() - 6;
        bytes.splice(at.., [0x41, 0x04, 0xff, 0xff, 0xff, 0xff]);
        let response = decode_response(&bytes).unwrap();
        assert_eq!(response.variables, [(oid("1.3.6.1.2.1.1.3.0"), Value::Counter32(u32::MAX))]);
    }

    #[test]
    fn of_an_answer_that_is_cut_whole_variables_are_left_and_no_shorter_ones() {
        let objects = [
            (oid("1.3.6.1.2.1.43.10.2.1.4.1.1"), Value::Counter32(76_064)),
            (oid("1.3.6.1.2.1.43.5.1.1.17.1"), Value::OctetString(Box::from(*b"VNC3100123"))),
            (oid("1.3.6.1.2.1.1.2.0"), Value::ObjectIdentifier(oid("1.3.6.1.2.1.25.3.1.5"))),
        ];
        let mut writer = Writer::default();
        writer.wrap(tag::SEQUENCE, |writer| {
            writer.wrap(lenient::RESPONSE_PDU, |writer| {
                writer.wrap(tag::SEQUENCE, |writer| {
                    for (name, value) in objects.iter().rev() {
                        writer.wrap(tag::SEQUENCE, |writer| {
                            match value {
                                Value::OctetString(octets) => writer.octet_string(octets),
                                Value::ObjectIdentifier(oid) => writer.oid(oid),
                                _ => writer.wrap(tag::COUNTER32, |writer| writer.raw(&[0x01, 0x29, 0x20])),
                            }
                            writer.oid(name);
                        });
                    }
                });
                (0..3).for_each(|_| writer.integer(0));
            });
            writer.octet_string(b"public");
            writer.integer(1);
        });
        let bytes = writer.finish();
        let mut most = 0;
        for end in 0..=bytes.len() {
            let Ok(response) = decode_response(&bytes[..end]) else { continue };
            assert!(objects.starts_with(&response.variables), "{end} octets: {:?}", response.variables);
            most = most.max(response.variables.len());
        }
        assert_eq!(most, objects.len());
        let short = &bytes[..bytes.len() - 1];
        assert_eq!(decode_response(short).unwrap().variables.len(), 2, "those before the cut are kept");
    }

    #[test]
    fn an_arc_that_is_too_large_makes_no_shorter_name() {
        // 1.3.6.1.2.1.1.3.(2^35).0 must not be read as sysUpTime.0.
        let mut bytes = RESPONSE.to_vec();
        let at = bytes.len() - 7;
        bytes.splice(at..at, [0x81, 0x80, 0x80, 0x80, 0x80, 0x00]);
        for (place, more) in [(1, 6), (14, 6), (25, 6), (27, 6), (29, 6)] {
            bytes[place] += more;
        }
        assert_eq!(decode_response(&bytes), Err(DecodeError::Form("a name that is no object identifier")));
    }

    #[test]
    fn a_request_is_no_response() {
        let bytes =
            encode_request(&Credential::v2c("public"), None, 5, Operation::Get, &[readable("1.3.6.1.2.1.1.3.0")]);
        assert_eq!(decode_response(&bytes), Err(DecodeError::NotAResponse));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_response(&bytes);
            let _ = lenient::decode_response(&bytes);
        }

        #[test]
        fn no_damage_panics(at in 0..RESPONSE.len(), octet: u8, cut in 0..RESPONSE.len()) {
            let mut bytes = RESPONSE.to_vec();
            if let Some(place) = bytes.get_mut(at) { *place = octet; }
            let _ = decode_response(&bytes);
            let _ = lenient::decode_response(bytes.get(..cut).unwrap_or_default());
        }

        /// What the library accepts of well-formed responses, the fallback reads alike.
        #[test]
        fn both_decoders_agree(id in 0_u8..0x80, high in 0_u8..0x80, low: u8) {
            let mut bytes = RESPONSE.to_vec();
            bytes[17] = id;
            let at = bytes.len() - 4;
            bytes[at] = high;
            bytes[at + 3] = low;
            let (_, message) = SnmpMessage::from_ber(&bytes).unwrap();
            prop_assert_eq!(lenient::decode_response(&bytes), from_parser(message));
        }
    }
}
