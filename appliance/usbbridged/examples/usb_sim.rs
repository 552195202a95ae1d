//! The bridge with printers that need no USB, for tests of what stands before it: the tests' own printers, plugged in and out by
//! lines on standard input. It ends with its input.
//!
//! It says where it listens and where it is controlled; `plug N`, `unplug N`, `hang N`, `wake N` are answered with `done`, and
//! `received N` with the octets that have arrived, as text.
#![allow(clippy::unwrap_used, clippy::panic, reason = "it is a part of tests")]

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::io::{BufRead, Write};
use std::sync::Arc;

use fake::{Faults, Printer, Running, pjl};

fn main() {
    let printer = |path, serial, id| Arc::new(Printer::new(path, Some(serial), id, pjl));
    let printers = [
        printer("1-1", "A1-4711", "MFG:Acme;MDL:Office 10;CMD:PCL,PJL;CLS:PRINTER;DES:Acme Office 10;"),
        printer("1-2", "B2-0815", "MFG:Acme;MDL:Photo 5;CMD:ESCPL2;CLS:PRINTER;"),
    ];
    let bridge = Running::start();
    println!("usb_sim: ready {} {}", bridge.address, bridge.folder.path().join("control").display());
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (verb, number) = line.split_once(' ').unwrap();
        let printer = &printers[number.parse::<usize>().unwrap()];
        let mut answer = "done".to_owned();
        match verb {
            "plug" => {
                bridge.plug(printer);
            }
            "unplug" => bridge.unplug(printer),
            "hang" => printer.set(Faults { hangs: true, ..Faults::default() }),
            "wake" => printer.set(Faults::default()),
            "received" => answer = String::from_utf8_lossy(&printer.received()).escape_default().to_string(),
            _ => panic!("there is no order {verb}"),
        }
        println!("{answer}");
        std::io::stdout().flush().unwrap();
    }
}
