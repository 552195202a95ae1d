//! A second, forgiving reader for responses that the library refuses. It takes lengths and tags as they come, keeps every
//! variable that it can make sense of, and forgives: unsigned numbers with their sign bit set, numbers with too many
//! leading octets, communities of any octets, negative request-ids, a varbind list that is cut short by the end of the datagram.
//! What is not whole makes no variable: the beginning of a number is another number.

use super::ber::tag;
use super::message::{DecodeError, MAX_VARIABLES, Response, Value, error_status_of};
use crate::oid::Oid;

pub(super) const RESPONSE_PDU: u8 = 0xa2;

pub(super) fn decode_response(bytes: &[u8]) -> Result<Response, DecodeError> {
    let (outer, message, _) = container(bytes).ok_or(DecodeError::Form("no outer sequence"))?;
    if outer != tag::SEQUENCE {
        return Err(DecodeError::Form("no outer sequence"));
    }
    let (version, rest) = integer(message).ok_or(DecodeError::Form("no version"))?;
    if !(0..=1).contains(&version) {
        return Err(DecodeError::Form("neither version 1 nor 2c"));
    }
    let (community, _, rest) = element(rest).ok_or(DecodeError::Form("no community"))?;
    if community != tag::OCTET_STRING {
        return Err(DecodeError::Form("no community"));
    }
    match decode_pdu(rest)? {
        (RESPONSE_PDU, response) => Ok(response),
        _ => Err(DecodeError::NotAResponse),
    }
}

/// A PDU of the form that all but GETBULK and the trap of version 1 have, with its tag.
pub(super) fn decode_pdu(bytes: &[u8]) -> Result<(u8, Response), DecodeError> {
    let (pdu_tag, pdu, _) = container(bytes).ok_or(DecodeError::Form("no PDU"))?;
    let (request_id, rest) = integer(pdu).ok_or(DecodeError::Form("no request-id"))?;
    let (status, rest) = integer(rest).ok_or(DecodeError::Form("no error-status"))?;
    let (error_index, rest) = integer(rest).ok_or(DecodeError::Form("no error-index"))?;
    let (list_tag, list, _) = container(rest).ok_or(DecodeError::Form("no variables"))?;
    if list_tag != tag::SEQUENCE {
        return Err(DecodeError::Form("no variables"));
    }
    let response = Response {
        request_id: i32::try_from(request_id).map_err(|_| DecodeError::Form("a request-id out of range"))?,
        error_status: error_status_of(u32::try_from(status).unwrap_or(u32::MAX)),
        error_index: u32::try_from(error_index).unwrap_or(0),
        variables: variables(list)?,
    };
    Ok((pdu_tag, response))
}

fn variables(mut list: &[u8]) -> Result<Vec<(Oid, Value)>, DecodeError> {
    let mut variables = Vec::new();
    while let Some((_, variable, rest)) = container(list) {
        list = rest;
        let Some((tag::OBJECT_IDENTIFIER, name, rest)) = element(variable) else { continue };
        let Some(name) = object_identifier(name) else { continue };
        let Some((value_tag, content, _)) = element(rest) else { continue };
        if variables.len() == MAX_VARIABLES {
            return Err(DecodeError::TooManyVariables);
        }
        variables.push((name, value(value_tag, content)));
    }
    Ok(variables)
}

fn value(value_tag: u8, content: &[u8]) -> Value {
    let unsigned = || unsigned(content).and_then(|number| u32::try_from(number).ok());
    match value_tag {
        tag::INTEGER => signed(content).map_or(Value::Null, Value::Integer),
        tag::OCTET_STRING => Value::OctetString(content.into()),
        tag::OBJECT_IDENTIFIER => object_identifier(content).map_or(Value::Null, Value::ObjectIdentifier),
        tag::IP_ADDRESS => content.try_into().map_or(Value::Null, Value::IpAddress),
        tag::COUNTER32 => unsigned().map_or(Value::Null, Value::Counter32),
        tag::GAUGE32 => unsigned().map_or(Value::Null, Value::Gauge32),
        tag::TIME_TICKS => unsigned().map_or(Value::Null, Value::TimeTicks),
        tag::COUNTER64 => self::unsigned(content).map_or(Value::Null, Value::Counter64),
        tag::OPAQUE | 0x45 => Value::Opaque(content.into()),
        tag::NO_SUCH_OBJECT => Value::NoSuchObject,
        tag::NO_SUCH_INSTANCE => Value::NoSuchInstance,
        tag::END_OF_MIB_VIEW => Value::EndOfMibView,
        _ => Value::Null,
    }
}

/// Tag, content, what follows; `None` for what does not end within the bytes.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = head(bytes)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The same for what holds further elements. Content that runs past the end is cut there: those that are whole still count.
pub(super) fn container(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = head(bytes)?;
    let (content, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    Some((tag, content, rest))
}

/// Tag, length, and the bytes behind them.
fn head(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let [tag, length, rest @ ..] = bytes else { return None };
    if *length < 0x80 {
        return Some((*tag, usize::from(*length), rest));
    }
    let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    Some((*tag, usize::try_from(unsigned(octets)?).ok()?, rest))
}

pub(super) fn integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    match element(bytes)? {
        (tag::INTEGER, content, rest) => Some((signed(content)?, rest)),
        _ => None,
    }
}

fn signed(octets: &[u8]) -> Option<i64> {
    let negative = octets.first()? & 0x80 != 0;
    let fill = if negative { 0xff } else { 0 };
    let significant: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == fill).collect();
    if significant.len() > 8 {
        return None;
    }
    let mut padded = [fill; 8];
    padded.iter_mut().rev().zip(significant.iter().rev()).for_each(|(place, octet)| *place = *octet);
    Some(i64::from_be_bytes(padded))
}

fn unsigned(octets: &[u8]) -> Option<u64> {
    octets.iter().try_fold(0_u64, |number, octet| (number >> 56 == 0).then_some(number << 8 | u64::from(*octet)))
}

fn object_identifier(octets: &[u8]) -> Option<Oid> {
    let mut arcs = Vec::with_capacity(octets.len() + 1);
    let mut arc: u32 = 0;
    for octet in octets {
        if arc >> 25 != 0 {
            return None;
        }
        arc = arc << 7 | u32::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            match arcs.is_empty() {
                true => arcs.extend(match arc {
                    0..40 => [0, arc],
                    40..80 => [1, arc - 40],
                    _ => [2, arc - 80],
                }),
                false => arcs.push(arc),
            }
            arc = 0;
        }
        if arcs.len() > Oid::MAX_ARCS {
            return None;
        }
    }
    Oid::new(&arcs)
}
