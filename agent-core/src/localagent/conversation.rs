//! Reading one printer through a bridge: what to send next, what the answers mean, when to stop waiting. Owns no socket and no
//! clock.
//!
//! The caller's loop: send what [`Conversation::poll_transmit`] gives; when [`Conversation::poll_outcome`] gives something, be
//! done; else wait for bytes ([`Conversation::handle_octets`]), the end of the stream ([`Conversation::handle_end`]), or the
//! moment of [`Conversation::poll_timeout`] ([`Conversation::handle_timeout`]).

use std::collections::VecDeque;
use std::time::Duration;

use thiserror::Error;

use super::message::{Greeting, Message, OPENER, Printer};
use crate::pjl::pcl::{self, Readback};
use crate::pjl::reading::{Answers, Question};
use crate::pjl::reply::{MAX_OCTETS, Reply};
use crate::pjl::{UEL, reply};
use crate::tick::Tick;

/// Questions without any answer after which no more are asked.
const MAX_SILENT: u32 = 2;

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the bridge's own answer: it may have another connection first.
    pub greeting: Duration,
    /// For the printer, from question to answer and between two pieces of one.
    pub answer: Duration,
    /// For everything.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(20),
            // Printers wake up from sleep before they answer.
            answer: Duration::from_secs(6),
            whole: Duration::from_secs(90),
        }
    }
}

/// Why there is no reading.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The bridge has no printer on this port at present; these are its ports that belong to one.
    #[error("the printer is not connected")]
    NoPrinter(Vec<u16>),
    /// The bridge refused, in its words.
    #[error("the bridge refused: {0}")]
    Refused(String),
    /// Nothing that could be understood came.
    #[error("neither a LocalAgent nor a printer answers")]
    Silent,
    /// The other side closed the connection before there was anything to read.
    #[error("the connection was closed")]
    Closed,
}

/// What a conversation has brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// The bridge's answer; `None` where there is none and the port leads to a printer.
    pub greeting: Option<Greeting>,
    /// The printer's.
    pub answers: Answers,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for the bridge's own answer.
    Greeting,
    /// Waiting for a PJL answer.
    Asking(Question),
    /// Waiting for PCL.
    Readback,
    Done,
}

/// One conversation.
#[derive(Debug)]
pub struct Conversation {
    patience: Patience,
    phase: Phase,
    deadline: Tick,
    ends: Tick,
    /// Marks of this conversation differ from those of one that was broken off before it.
    token: u16,
    questions: VecDeque<Question>,
    silent: u32,
    /// The printer does not repeat marks: a form feed has to do.
    without_echo: bool,
    received: Vec<u8>,
    findings: Findings,
    transmit: VecDeque<Vec<u8>>,
    outcome: Option<Result<Box<Findings>, Failure>>,
}

impl Conversation {
    /// A conversation that asks these questions where the printer speaks PJL; `seed` makes its marks its own.
    pub fn new(now: Tick, patience: Patience, questions: &[Question], seed: u16) -> Self {
        Self {
            patience,
            phase: Phase::Greeting,
            deadline: now + patience.greeting,
            ends: now + patience.whole,
            token: seed & 0x7fff,
            questions: questions.iter().copied().collect(),
            silent: 0,
            without_echo: false,
            received: Vec::new(),
            findings: Findings::default(),
            transmit: VecDeque::from([OPENER.to_vec()]),
            outcome: None,
        }
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Tick> {
        (!matches!(self.phase, Phase::Done)).then(|| self.deadline.min(self.ends))
    }

    /// The end, once; what [`Self::poll_transmit`] still gives should be sent before the connection is closed.
    pub fn poll_outcome(&mut self) -> Option<Result<Box<Findings>, Failure>> {
        self.outcome.take()
    }

    /// Bytes have come.
    pub fn handle_octets(&mut self, now: Tick, octets: &[u8]) {
        if matches!(self.phase, Phase::Done) {
            return;
        }
        let room = MAX_OCTETS.saturating_sub(self.received.len());
        if octets.len() > room {
            // Nothing that was asked has so long an answer.
            return self.finish();
        }
        self.received.extend_from_slice(octets);
        if !matches!(self.phase, Phase::Greeting) {
            self.deadline = now + self.patience.answer;
        }
        self.look(now);
    }

    /// The other side sends nothing more.
    pub fn handle_end(&mut self, now: Tick) {
        self.look(now);
        match self.phase {
            Phase::Greeting => self.fail(Failure::Closed),
            Phase::Asking(question) => {
                self.keep(question);
                self.finish();
            }
            Phase::Readback => self.finish(),
            Phase::Done => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Tick) {
        if now >= self.ends {
            return match self.phase {
                Phase::Done => {}
                Phase::Greeting => self.fail(Failure::Silent),
                _ => self.finish(),
            };
        }
        if now < self.deadline {
            return;
        }
        match self.phase {
            // Perhaps no bridge of ours, but a printer port like others: it can be asked all the same.
            Phase::Greeting => self.ask_next(now),
            Phase::Asking(question) => {
                let is_silent = self.keep(question);
                self.silent = if is_silent { self.silent + 1 } else { 0 };
                self.without_echo |= !is_silent;
                if self.silent < MAX_SILENT { self.ask_next(now) } else { self.finish() }
            }
            Phase::Readback => self.finish(),
            Phase::Done => {}
        }
    }

    /// Whether what has come is enough to go on.
    fn look(&mut self, now: Tick) {
        match self.phase {
            Phase::Greeting => match Message::decode(&self.received) {
                Some(Message::Greeting(greeting)) => self.greeted(now, *greeting),
                Some(Message::Refused { reason, .. }) => self.fail(Failure::Refused(reason)),
                None => {}
            },
            Phase::Asking(question) => {
                let is_marked = has_mark(&self.received, self.token);
                if is_marked || self.without_echo && self.received.contains(&0x0c) {
                    self.keep(question);
                    self.silent = 0;
                    self.ask_next(now);
                } else if let Some(Message::Refused { what, reason }) = Message::decode(&self.received)
                    && what == "CONNECTION"
                {
                    self.fail(Failure::Refused(reason));
                }
            }
            Phase::Readback => {
                let readback = Readback::read(&self.received, self.token);
                let has_ended = readback.has_ended;
                self.findings.answers.readback = Some(readback);
                if has_ended {
                    self.finish();
                }
            }
            Phase::Done => {}
        }
    }

    fn greeted(&mut self, now: Tick, greeting: Greeting) {
        let Some(printer) = greeting.printer.clone() else {
            return self.fail(Failure::NoPrinter(greeting.ports));
        };
        let Printer { manufacturer, model, serial, port_status, is_two_way, .. } = printer.clone();
        let answers = &mut self.findings.answers;
        (answers.manufacturer, answers.model, answers.serial) = (manufacturer, model, serial);
        (answers.port_status, answers.name) = (port_status, greeting.name.clone());
        self.findings.greeting = Some(greeting);
        let id = printer.id();
        // A printer that does not list a language would print the question.
        match (is_two_way, id.speaks_pjl(), id.speaks_pcl()) {
            (true, true, _) => self.ask_next(now),
            (true, false, true) => {
                self.begin(now, Phase::Readback, pcl::question(self.token));
                self.findings.answers.readback = Some(Readback::default());
            }
            _ => self.finish(),
        }
    }

    fn ask_next(&mut self, now: Tick) {
        let Some(question) = self.questions.pop_front() else { return self.finish() };
        self.token = self.token.wrapping_add(1) & 0x7fff;
        let asked = format!("@PJL {}\r\n@PJL ECHO {}\r\n", question.words(), mark(self.token));
        let octets = [UEL, asked.as_bytes()].concat();
        self.begin(now, Phase::Asking(question), octets);
    }

    fn begin(&mut self, now: Tick, phase: Phase, octets: Vec<u8>) {
        self.received.clear();
        self.phase = phase;
        self.deadline = now + self.patience.answer;
        self.transmit.push_back(octets);
    }

    /// Keeps the answer to a question; gives whether nothing at all has come.
    fn keep(&mut self, question: Question) -> bool {
        let found = reply::Reply::find(&self.received, question.words());
        let is_silent = self.received.is_empty();
        // A printer without headers gives the mark back as a line of its own.
        if !is_silent && !is_only_mark(&found, self.token) {
            self.findings.answers.replies.insert(question, found);
        }
        is_silent
    }

    fn finish(&mut self) {
        let asked = matches!(self.phase, Phase::Asking(_));
        self.phase = Phase::Done;
        if asked {
            self.transmit.push_back(UEL.to_vec());
        }
        let has_said = self.findings.greeting.is_some() || !self.findings.answers.replies.is_empty();
        let findings = std::mem::take(&mut self.findings);
        self.outcome = Some(if has_said { Ok(Box::new(findings)) } else { Err(Failure::Silent) });
    }

    fn fail(&mut self, failure: Failure) {
        self.phase = Phase::Done;
        self.outcome = Some(Err(failure));
    }
}

fn mark(token: u16) -> String {
    format!("DW{token:05}")
}

fn has_mark(octets: &[u8], token: u16) -> bool {
    let mark = mark(token);
    octets.windows(mark.len()).any(|window| window == mark.as_bytes())
}

fn is_only_mark(reply: &Reply, token: u16) -> bool {
    let mark = mark(token);
    let mut lines = reply.lines();
    lines.next().is_none_or(|first| first == mark) && lines.next().is_none()
}
