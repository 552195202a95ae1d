//! The documents in `golden/`: each is what the encoder writes, what the decoder understands, and what the schema allows.
//! Those in `golden/invalid/` were written by hand; each is refused, with the message that stands beside it.
//!
//! `UPDATE_GOLDEN=1` rewrites the documents and messages, never the invalid documents.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod common;

use std::fs;

use common::{Document, bare_device, examples, key, registration, xmllint};
use wire::message::{Fault, FaultCode, Request, Response};
use wire::sign::SignatureLine;

/// Documents that a schema of version 1.0 cannot refuse start with this; the decoder refuses them all the same.
const BEYOND_THE_SCHEMA: &str = "beyond-the-schema-";

fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    files.sort();
    files
}

#[test]
fn every_example_is_written_and_understood_and_validates() {
    for (name, example) in examples() {
        let written = example.encode();
        testkit::golden::check(std::str::from_utf8(&written).unwrap(), format!("golden/{name}.xml"));
        assert_eq!(example.decode_alike(&written).as_ref(), Ok(&example), "{name}");
    }
    let files = files("golden", "xml");
    assert_eq!(files.len(), examples().len(), "a document in golden/ belongs to no example in tests/common/mod.rs");
    for (file, complaint) in files.iter().zip(xmllint(&files)) {
        assert_eq!(complaint, None, "{file}");
    }
}

/// The line was made with OpenSSL, as `docs/wire.md` shows, from a seed of 32 octets of the value 7.
#[test]
fn the_signature_is_the_one_that_openssl_makes() {
    let document = fs::read("golden/registration.xml").unwrap();
    let line = fs::read_to_string("golden/registration.signature").unwrap();
    assert_eq!(key().sign(&document), line.trim_end());
    assert_eq!(SignatureLine::parse(line.trim_end()).unwrap().verify(&key().public_key(), &document), Ok(()));
}

#[test]
fn every_invalid_document_is_refused_with_a_message_that_helps() {
    let files = files("golden/invalid", "xml");
    assert!(files.len() > 20, "the invalid documents are missing");
    for (file, complaint) in files.iter().zip(xmllint(&files)) {
        let document = fs::read(file).unwrap();
        // Every decoder gets every document; the one whose document it nearly is has the most to say.
        let requests = Document::Request(Request::RegisterForManagement(registration()));
        let fault = Fault { code: FaultCode::Malformed, message: String::new() };
        let responses = Document::Response(Response::Fault(fault));
        let devices = Document::Device(bare_device("x", "x"));
        let errors = [requests, responses, devices].map(|kind| match kind.decode_alike(&document) {
            Ok(decoded) => panic!("{file} was taken for {decoded:?}"),
            Err(error) => error.to_string(),
        });
        let has_its_root =
            |error: &&String| !["expected SendReports", "expected Device"].iter().any(|no| error.contains(no));
        let error = errors.iter().find(has_its_root).unwrap_or(&errors[0]);
        testkit::golden::check(&format!("{error}\n"), file.replace(".xml", ".message"));
        let beyond = file.contains(BEYOND_THE_SCHEMA);
        assert_eq!(complaint.is_none(), beyond, "{file} and the schema: {complaint:?}");
    }
}
