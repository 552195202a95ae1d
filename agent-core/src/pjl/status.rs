//! What a PJL status code means: group, words of our own, how urgent, and the same thing in the terms of the Printer-MIB.

use wire::device::Alert;
use wire::vocab::{AlertGroup, AlertSeverity, DetectedError, DeviceState, PrinterState};

/// What a code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What the printer does, where the code says so.
    pub printer: Option<PrinterState>,
    /// Whether it works.
    pub device: DeviceState,
    /// The condition in the terms of the Printer-MIB.
    pub error: Option<DetectedError>,
    /// The part that wants something.
    pub part: AlertGroup,
    /// How urgently; `None` where nothing is wanted.
    pub severity: Option<AlertSeverity>,
    /// In our words.
    pub text: String,
}

/// Codes whose text differs from their group's: code, words, condition, part.
const KNOWN: &[(u32, &str, Option<DetectedError>, AlertGroup)] = {
    use AlertGroup as Part;
    use DetectedError as Error;
    &[
        (10_006, "Toner is low", Some(Error::LowToner), Part::MarkerSupplies),
        (10_007, "Cancelling a job", None, Part::GeneralPrinter),
        (10_011, "Starting", None, Part::GeneralPrinter),
        (10_024, "Receiving data", None, Part::GeneralPrinter),
        (10_027, "Clearing the paper path", None, Part::MediaPath),
        (10_031, "Cleaning the engine", None, Part::Marker),
        (30_016, "Memory is full, data are lost", None, Part::Interpreter),
        (30_017, "The page is too complex", None, Part::Interpreter),
        (30_119, "A sheet was not fed", None, Part::Input),
        (35_075, "Maintenance is due", Some(Error::OverduePreventMaint), Part::GeneralPrinter),
        (40_010, "The toner cartridge is missing", Some(Error::MarkerSupplyMissing), Part::MarkerSupplies),
        (40_019, "The output is full: take out the paper", Some(Error::OutputFull), Part::Output),
        (40_020, "The toner cartridge is of the wrong kind", Some(Error::MarkerSupplyMissing), Part::MarkerSupplies),
        (40_021, "A cover is open", Some(Error::DoorOpen), Part::Cover),
        (40_022, "Paper jam", Some(Error::Jammed), Part::MediaPath),
        (40_026, "A tray is missing", Some(Error::InputTrayMissing), Part::Input),
        (40_038, "Toner is low, the printer waits", Some(Error::LowToner), Part::MarkerSupplies),
        (40_079, "Taken off line", Some(Error::Offline), Part::GeneralPrinter),
        (40_093, "Paper jam in the duplexer", Some(Error::Jammed), Part::MediaPath),
        (40_096, "The paper in the tray is not as set", None, Part::Input),
        (40_119, "Paper misfeed", Some(Error::Jammed), Part::MediaPath),
        (40_128, "Drum fault", Some(Error::ServiceRequested), Part::MarkerSupplies),
        (40_129, "The drum is used up", Some(Error::ServiceRequested), Part::MarkerSupplies),
        (40_130, "The drum is nearly used up", None, Part::MarkerSupplies),
        (40_131, "The transfer kit is used up", Some(Error::ServiceRequested), Part::MarkerSupplies),
        (40_132, "The transfer kit is nearly used up", None, Part::MarkerSupplies),
        (40_141, "Waste toner is full", Some(Error::ServiceRequested), Part::MarkerSupplies),
        (40_142, "The drum is missing", Some(Error::MarkerSupplyMissing), Part::MarkerSupplies),
        (40_146, "The paper in the tray is not as set", None, Part::Input),
    ]
};

/// Explains a code; one that nobody has named is explained by its group.
pub fn meaning(code: u32) -> Meaning {
    let mut meaning = of_group(code);
    if let Some((_, text, error, part)) = KNOWN.iter().find(|(known, ..)| *known == code) {
        meaning.text = (*text).to_owned();
        meaning.error = error.clone();
        meaning.part = part.clone();
    }
    if matches!(code, 10_006 | 40_130 | 40_132) {
        (meaning.device, meaning.severity) = (DeviceState::Warning, Some(AlertSeverity::Warning));
    }
    meaning
}

fn of_group(code: u32) -> Meaning {
    let good = |printer, device, text: &str| Meaning {
        printer,
        device,
        error: None,
        part: AlertGroup::GeneralPrinter,
        severity: None,
        text: text.to_owned(),
    };
    let bad = |device, error, part, severity, text: String| Meaning {
        printer: None,
        device,
        error,
        part,
        severity: Some(severity),
        text,
    };
    let warning =
        |error, part, text: &str| bad(DeviceState::Warning, error, part, AlertSeverity::Warning, text.to_owned());
    let critical = |error, part, text: String| bad(DeviceState::Down, error, part, AlertSeverity::Critical, text);
    match code {
        10_001 => good(Some(PrinterState::Idle), DeviceState::Running, "Ready"),
        10_002 => critical(Some(DetectedError::Offline), AlertGroup::GeneralPrinter, "Off line".to_owned()),
        10_003 => good(Some(PrinterState::Warmup), DeviceState::Running, "Warming up"),
        10_004 | 10_013..=10_018 | 10_022 | 10_028 => {
            good(Some(PrinterState::Printing), DeviceState::Testing, "Testing itself")
        }
        10_005 | 10_019..=10_021 => good(None, DeviceState::Running, "Starting again"),
        10_023 | 10_024 | 10_029 => good(Some(PrinterState::Printing), DeviceState::Running, "Processing a job"),
        10_000 | 10_006..=10_012 | 10_025..=10_027 | 10_030..11_000 => good(None, DeviceState::Running, "Working"),
        // The hundreds say which tray, the rest which paper it wants.
        11_000..12_000 => warning(
            Some(DetectedError::InputTrayEmpty),
            AlertGroup::Input,
            &format!("Tray {} is empty", code / 100 % 10),
        ),
        12_000..13_000 => {
            warning(None, AlertGroup::Input, &format!("Tray {} is open or being lifted", code / 100 % 10))
        }
        15_000..16_000 => warning(None, AlertGroup::Output, "An output is full or not in place"),
        20_000..30_000 => good(None, DeviceState::Running, "The last question was not understood"),
        30_000..35_000 => warning(None, AlertGroup::GeneralPrinter, "A fault that goes away by itself"),
        35_078 => good(Some(PrinterState::Idle), DeviceState::Running, "Asleep"),
        35_000..35_078 | 35_079..40_000 => warning(None, AlertGroup::GeneralPrinter, "Someone may be needed soon"),
        // Sent asleep by many, although the group says that someone is needed.
        40_000 => good(Some(PrinterState::Idle), DeviceState::Running, "Asleep"),
        40_050..=40_072 => critical(
            Some(DetectedError::ServiceRequested),
            AlertGroup::GeneralPrinter,
            "A part has failed: call service".to_owned(),
        ),
        40_001..40_050 | 40_073..41_000 => critical(
            Some(DetectedError::ServiceRequested),
            AlertGroup::GeneralPrinter,
            "Someone is needed at the printer".to_owned(),
        ),
        41_000..42_000 => critical(
            Some(DetectedError::NoPaper),
            AlertGroup::Input,
            format!("The job waits for paper in tray {}", code / 100 % 10),
        ),
        42_000..43_000 | 44_000..45_000 => {
            critical(Some(DetectedError::Jammed), AlertGroup::MediaPath, "Paper jam".to_owned())
        }
        43_000..44_000 => critical(
            Some(DetectedError::ServiceRequested),
            AlertGroup::MediaPath,
            "A paper-handling device has a fault".to_owned(),
        ),
        50_000..60_000 => critical(
            Some(DetectedError::ServiceRequested),
            AlertGroup::GeneralPrinter,
            "Hardware fault: call service".to_owned(),
        ),
        _ => good(None, DeviceState::Unknown, "Unknown state"),
    }
}

impl Meaning {
    /// The alert that belongs to it, with what the display says where it says something.
    pub fn alert(&self, code: u32, display: Option<&str>) -> Option<Alert> {
        let words = match display {
            Some(display) => format!("{} ({display}; PJL {code})", self.text),
            None => format!("{} (PJL {code})", self.text),
        };
        Some(Alert {
            severity: self.severity.clone()?,
            group: self.part.clone(),
            group_index: None,
            // prtAlertCode is another vocabulary: the PJL code stands in the words.
            code: None,
            description: words,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_their_group_says_unless_they_are_known() {
        for (code, text, severity, error) in [
            (10_001, "Ready", None, None),
            (10_006, "Toner is low", Some(AlertSeverity::Warning), Some(DetectedError::LowToner)),
            (40_000, "Asleep", None, None),
            (40_021, "A cover is open", Some(AlertSeverity::Critical), Some(DetectedError::DoorOpen)),
            (40_096, "The paper in the tray is not as set", Some(AlertSeverity::Critical), None),
            (41_204, "The job waits for paper in tray 2", Some(AlertSeverity::Critical), Some(DetectedError::NoPaper)),
            (11_304, "Tray 3 is empty", Some(AlertSeverity::Warning), Some(DetectedError::InputTrayEmpty)),
            (42_001, "Paper jam", Some(AlertSeverity::Critical), Some(DetectedError::Jammed)),
            (
                50_003,
                "Hardware fault: call service",
                Some(AlertSeverity::Critical),
                Some(DetectedError::ServiceRequested),
            ),
            (99_999, "Unknown state", None, None),
        ] {
            let meaning = meaning(code);
            assert_eq!((meaning.text.as_str(), meaning.severity, meaning.error), (text, severity, error), "{code}");
        }
        let codes = KNOWN.iter().map(|(code, ..)| *code);
        assert!(codes.clone().zip(codes.skip(1)).all(|(one, next)| one < next), "in order, each once");
    }
}
