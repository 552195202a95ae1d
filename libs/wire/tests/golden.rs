//! The documents in `golden/`: each is what the encoder writes, what the decoder understands, and what the schema allows.
//! Those in `golden/invalid/` were written by hand; each is refused, with the message that stands beside it.
//!
//! `UPDATE_GOLDEN=1` rewrites the documents and messages, never the invalid documents.

mod common;

use std::fs;
use std::path::Path;

use common::{Document, bare_device, examples, registration, xmllint};
use wire::message::{Fault, FaultCode, Request, Response};

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
fn every_example_is_written_and_understood() {
    for (name, example) in examples() {
        let written = example.encode();
        testkit::golden::check(std::str::from_utf8(&written).unwrap(), format!("golden/{name}.xml"));
        assert_eq!(example.decode_alike(&written).as_ref(), Ok(&example), "{name}");
    }
}

#[test]
fn every_golden_document_comes_back_octet_for_octet_and_validates() {
    let files = files("golden", "xml");
    let examples = examples();
    for file in &files {
        let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
        let (_, example) = examples.iter().find(|(example, _)| *example == name).unwrap_or_else(|| {
            panic!("{file} belongs to no example: delete it, or add the example to tests/common/mod.rs")
        });
        let document = fs::read(file).unwrap();
        let decoded = example.decode_alike(&document).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(String::from_utf8_lossy(&decoded.encode()), String::from_utf8_lossy(&document), "{file}");
    }
    for (file, complaint) in files.iter().zip(xmllint(&files)) {
        assert_eq!(complaint, None, "{file}");
    }
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
        let root_is_fine = |error: &&String| !error.starts_with("/, ");
        let error = errors.iter().find(root_is_fine).unwrap_or(&errors[0]);
        testkit::golden::check(&format!("{error}\n"), file.replace(".xml", ".message"));
        let beyond = file.contains(BEYOND_THE_SCHEMA);
        assert_eq!(complaint.is_none(), beyond, "{file} and the schema: {complaint:?}");
    }
}
