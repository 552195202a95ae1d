//! The bridge with printers that need no USB: the example `usb_sim` as a process, and the orders to it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::programs::program;

/// The bridge, until it is dropped.
pub struct UsbSim {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    address: String,
    control: String,
}

impl UsbSim {
    /// Starts it; nothing is plugged in.
    pub fn start() -> Result<Self> {
        let mut command = Command::new(program("usb_sim")?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("usb_sim")?;
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().context("usb_sim has no output")?);
        let mut said = String::new();
        answers.read_line(&mut said)?;
        let places = said.trim().strip_prefix("usb_sim: ready ").and_then(|places| places.split_once(' '));
        let (address, control) = places.with_context(|| format!("usb_sim said {said}"))?;
        let (address, control) = (address.to_owned(), control.to_owned());
        Ok(Self { child, orders, answers, address, control })
    }

    /// The words of an agent's command line that make this its own bridge.
    pub fn options(&self) -> [&str; 4] {
        ["--usb-control", &self.control, "--usb-bridge", &self.address]
    }

    /// Gives an order; gives its answer once it is carried out.
    pub fn order(&mut self, line: &str) -> Result<String> {
        writeln!(self.orders.as_mut().context("it has ended")?, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "{line}: it has ended");
        Ok(answer.trim().to_owned())
    }
}

impl Drop for UsbSim {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
