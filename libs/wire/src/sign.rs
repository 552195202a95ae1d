//! Signatures over messages: Ed25519 over the exact bytes of the XML document, beside it, not inside.
//!
//! The form is one line, `ed25519 <agent id> <signature in base64>`: the HTTP header `Druckwart-Signature`, and over mail a
//! second part. A document is never re-encoded between signing and checking, so no canonical form of XML is needed.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use thiserror::Error;

use crate::message::AgentId;

/// Name of the HTTP header that carries the signature.
pub const HEADER: &str = "druckwart-signature";

/// Set before the document when signing, so that a signature made for another purpose never fits.
const CONTEXT: &[u8] = b"druckwart message 2026-11\n";

/// Why a signature does not hold.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// Not of the form `ed25519 <agent id> <base64>`.
    #[error("the signature is not of the form `ed25519 <agent id> <base64>`")]
    Form,
    /// The public key is not a point of the curve.
    #[error("the public key is not an Ed25519 key")]
    Key,
    /// Well-formed, but made with another key or for other bytes.
    #[error("the signature does not fit the document and the agent's key")]
    Mismatch,
}

/// The private half of an agent's identity. Wiped when dropped, and never printed.
pub struct AgentKey(SigningKey);

impl AgentKey {
    /// A key from 32 secret random octets.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The half that everyone may know.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The agent's name.
    pub fn agent_id(&self) -> AgentId {
        AgentId::of_key(&self.public_key())
    }

    /// The signature line for a document.
    pub fn sign(&self, document: &[u8]) -> String {
        let signature = self.0.sign(&[CONTEXT, document].concat());
        format!("ed25519 {} {}", self.agent_id(), data_encoding::BASE64.encode(&signature.to_bytes()))
    }
}

/// A signature line taken apart, not yet checked.
#[derive(Debug)]
pub struct SignatureLine {
    /// Who claims to have signed.
    pub agent: AgentId,
    signature: Signature,
}

impl SignatureLine {
    /// Takes a signature line apart.
    pub fn parse(line: &str) -> Result<Self, SignatureError> {
        let mut words = line.split(' ');
        let (Some("ed25519"), Some(agent), Some(signature), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(SignatureError::Form);
        };
        let agent = AgentId::parse(agent).ok_or(SignatureError::Form)?;
        let bytes = data_encoding::BASE64.decode(signature.as_bytes()).map_err(|_| SignatureError::Form)?;
        let signature = Signature::from_slice(&bytes).map_err(|_| SignatureError::Form)?;
        Ok(Self { agent, signature })
    }

    /// Whether the holder of `public_key` signed `document`, and the line names that holder.
    pub fn verify(&self, public_key: &[u8; 32], document: &[u8]) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| SignatureError::Key)?;
        if AgentId::of_key(public_key) != self.agent {
            return Err(SignatureError::Mismatch);
        }
        // Strict: otherwise one signature of a weak key, made on purpose, would fit many documents.
        key.verify_strict(&[CONTEXT, document].concat(), &self.signature).map_err(|_| SignatureError::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_its_document_and_its_key_only() {
        let key = AgentKey::from_seed(&[7; 32]);
        let line = SignatureLine::parse(&key.sign(b"<a/>")).unwrap();
        assert_eq!(line.agent, key.agent_id());
        assert_eq!(line.verify(&key.public_key(), b"<a/>"), Ok(()));
        assert_eq!(line.verify(&key.public_key(), b"<b/>"), Err(SignatureError::Mismatch));
        let other = AgentKey::from_seed(&[8; 32]);
        assert_eq!(line.verify(&other.public_key(), b"<a/>"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "ed25519", "rsa a b", "ed25519 xyz AAAA", "ed25519 00000000000000000000000000000000 AAAA"] {
            assert_eq!(SignatureLine::parse(line).unwrap_err(), SignatureError::Form, "{line}");
        }
    }
}
