//! Open enumerations with the keywords of IANA-PRINTER-MIB, RFC 3805 and RFC 2790.
//!
//! A device may answer any number, and a later version of the other side may send any keyword: both survive as
//! `Other(text)` and come out again unchanged. Nothing here is ever an error.

/// Declares an open enumeration: code on the SNMP wire, variant, keyword in XML and JSON.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($code:literal $variant:ident $keyword:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the keyword beside each variant is its documentation")]
        pub enum $name {
            $($variant,)*
            /// A value outside the vocabulary: the number a device sent, or a keyword of a later version.
            Other(String),
        }

        impl $name {
            /// Every keyword of this version, in the order of the codes.
            pub const KEYWORDS: &[&str] = &[$($keyword),*];

            /// The meaning of a number read from a device.
            pub fn from_code(code: i64) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other.to_string()),
                }
            }

            /// The meaning of a keyword read from XML.
            pub fn from_keyword(keyword: &str) -> Self {
                match keyword {
                    $($keyword => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The keyword as it stands in XML and JSON.
            pub fn keyword(&self) -> &str {
                match self {
                    $(Self::$variant => $keyword,)*
                    Self::Other(raw) => raw,
                }
            }
        }
    };
}

vocabulary! {
    /// What a supply is: PrtMarkerSuppliesTypeTC (IANA-PRINTER-MIB).
    SupplyKind {
        1 Unspecified "other", 2 Unknown "unknown", 3 Toner "toner", 4 WasteToner "wasteToner", 5 Ink "ink",
        6 InkCartridge "inkCartridge", 7 InkRibbon "inkRibbon", 8 WasteInk "wasteInk", 9 Opc "opc", 10 Developer "developer",
        11 FuserOil "fuserOil", 12 SolidWax "solidWax", 13 RibbonWax "ribbonWax", 14 WasteWax "wasteWax", 15 Fuser "fuser",
        16 CoronaWire "coronaWire", 17 FuserOilWick "fuserOilWick", 18 CleanerUnit "cleanerUnit",
        19 FuserCleaningPad "fuserCleaningPad", 20 TransferUnit "transferUnit", 21 TonerCartridge "tonerCartridge",
        22 FuserOiler "fuserOiler", 23 Water "water", 24 WasteWater "wasteWater", 25 GlueWaterAdditive "glueWaterAdditive",
        26 WastePaper "wastePaper", 27 BindingSupply "bindingSupply", 28 BandingSupply "bandingSupply",
        29 StitchingWire "stitchingWire", 30 ShrinkWrap "shrinkWrap", 31 PaperWrap "paperWrap", 32 Staples "staples",
        33 Inserts "inserts", 34 Covers "covers", 35 MatteToner "matteToner", 36 MatteInk "matteInk",
    }
}

vocabulary! {
    /// Whether a supply is used up or fills: PrtMarkerSuppliesClassTC (RFC 3805).
    SupplyClass {
        1 Unspecified "other", 3 Consumed "supplyThatIsConsumed", 4 Receptacle "receptacleThatIsFilled",
    }
}

vocabulary! {
    /// The unit of a supply's capacity and level: PrtMarkerSuppliesSupplyUnitTC (RFC 3805).
    SupplyUnit {
        1 Unspecified "other", 2 Unknown "unknown", 3 TenThousandthsOfInches "tenThousandthsOfInches",
        4 Micrometers "micrometers", 7 Impressions "impressions", 8 Sheets "sheets", 11 Hours "hours",
        12 ThousandthsOfOunces "thousandthsOfOunces", 13 TenthsOfGrams "tenthsOfGrams",
        14 HundrethsOfFluidOunces "hundrethsOfFluidOunces", 15 TenthsOfMilliliters "tenthsOfMilliliters",
        16 Feet "feet", 17 Meters "meters", 18 Items "items", 19 Percent "percent",
    }
}

vocabulary! {
    /// The unit of a tray's capacity and level: PrtCapacityUnitTC (RFC 3805).
    TrayUnit {
        1 Unspecified "other", 2 Unknown "unknown", 3 TenThousandthsOfInches "tenThousandthsOfInches",
        4 Micrometers "micrometers", 8 Sheets "sheets", 16 Feet "feet", 17 Meters "meters", 18 Items "items",
        19 Percent "percent",
    }
}

vocabulary! {
    /// What an input is: PrtInputTypeTC (IANA-PRINTER-MIB).
    InputKind {
        1 Unspecified "other", 2 Unknown "unknown", 3 RemovableTray "sheetFeedAutoRemovableTray",
        4 FixedTray "sheetFeedAutoNonRemovableTray", 5 ManualFeed "sheetFeedManual", 6 ContinuousRoll "continuousRoll",
        7 ContinuousFanFold "continuousFanFold", 8 PullFeed "sheetFeedPull",
    }
}

vocabulary! {
    /// What an output is: PrtOutputTypeTC (IANA-PRINTER-MIB).
    OutputKind {
        1 Unspecified "other", 2 Unknown "unknown", 3 RemovableBin "removableBin", 4 UnremovableBin "unRemovableBin",
        5 ContinuousRoll "continuousRollDevice", 6 Mailbox "mailBox", 7 ContinuousFanFold "continuousFanFold",
    }
}

vocabulary! {
    /// What the printer does: hrPrinterStatus (RFC 2790).
    PrinterState {
        1 Unspecified "other", 2 Unknown "unknown", 3 Idle "idle", 4 Printing "printing", 5 Warmup "warmup",
    }
}

vocabulary! {
    /// Whether the device works: hrDeviceStatus (RFC 2790).
    DeviceState {
        1 Unknown "unknown", 2 Running "running", 3 Warning "warning", 4 Testing "testing", 5 Down "down",
    }
}

vocabulary! {
    /// One condition of hrPrinterDetectedErrorState (RFC 2790, extended by RFC 3805); the code is the bit, first octet first,
    /// most significant bit first.
    DetectedError {
        0 LowPaper "lowPaper", 1 NoPaper "noPaper", 2 LowToner "lowToner", 3 NoToner "noToner", 4 DoorOpen "doorOpen",
        5 Jammed "jammed", 6 Offline "offline", 7 ServiceRequested "serviceRequested", 8 InputTrayMissing "inputTrayMissing",
        9 OutputTrayMissing "outputTrayMissing", 10 MarkerSupplyMissing "markerSupplyMissing",
        11 OutputNearFull "outputNearFull", 12 OutputFull "outputFull", 13 InputTrayEmpty "inputTrayEmpty",
        14 OverduePreventMaint "overduePreventMaint",
    }
}

vocabulary! {
    /// How serious an alert is: PrtAlertSeverityLevelTC (RFC 3805).
    AlertSeverity {
        1 Unspecified "other", 3 Critical "critical", 4 Warning "warning", 5 WarningBinaryChange "warningBinaryChangeEvent",
    }
}

vocabulary! {
    /// The part of the printer an alert is about: PrtAlertGroupTC (IANA-PRINTER-MIB).
    AlertGroup {
        1 Unspecified "other", 2 Unknown "unknown", 3 HostResources "hostResourcesMIBStorageTable",
        4 HostResourcesDevice "hostResourcesMIBDeviceTable",
        5 GeneralPrinter "generalPrinter", 6 Cover "cover", 7 Localization "localization", 8 Input "input", 9 Output "output",
        10 Marker "marker", 11 MarkerSupplies "markerSupplies", 12 MarkerColorant "markerColorant", 13 MediaPath "mediaPath",
        14 Channel "channel", 15 Interpreter "interpreter", 16 ConsoleDisplayBuffer "consoleDisplayBuffer",
        17 ConsoleLights "consoleLights", 18 Alert "alert", 30 FinDevice "finDevice", 31 FinSupply "finSupply",
        32 FinSupplyMediaInput "finSupplyMediaInput", 33 FinAttribute "finAttribute",
    }
}

vocabulary! {
    /// The colour of a supply: the colorant names of RFC 3805 (prtMarkerColorantValue) with the light inks in use.
    /// The codes are this project's own and never on the SNMP wire.
    Colorant {
        1 Black "black", 2 Cyan "cyan", 3 Magenta "magenta", 4 Yellow "yellow", 5 LightCyan "lightCyan",
        6 LightMagenta "lightMagenta", 7 LightBlack "lightBlack", 8 MatteBlack "matteBlack", 9 PhotoBlack "photoBlack",
        10 Gray "gray", 11 LightGray "lightGray", 12 Red "red", 13 Green "green", 14 Blue "blue", 15 Orange "orange",
        16 Violet "violet", 17 White "white", 18 Clear "clear", 19 Color "color",
    }
}

vocabulary! {
    /// Which service of the device a counter belongs to (PWG 5106.1 Imaging System Counters). The codes are this project's own.
    Service {
        1 System "System", 2 Print "Print", 3 Copy "Copy", 4 Fax "Fax", 5 Scan "Scan", 6 Unspecified "Other",
    }
}

vocabulary! {
    /// Which use of colour a counter counts (PWG 5106.1). `Any` counts all; `Color` all that is not monochrome.
    /// The codes are this project's own.
    ColorUse {
        1 Any "Any", 2 Monochrome "Monochrome", 3 Color "Color", 4 FullColor "FullColor", 5 HighlightColor "HighlightColor",
        6 SingleColor "SingleColor", 7 Blank "Blank",
    }
}

vocabulary! {
    /// Which size of medium a counter counts: `Large` is A3 and Ledger, `Small` all below. A size that the device names
    /// itself is `Other(name)`. The codes are this project's own.
    MediaSize {
        1 Any "Any", 2 Large "Large", 3 Small "Small",
    }
}

vocabulary! {
    /// Which sides a counter counts. The codes are this project's own.
    Sides {
        1 Any "Any", 2 OneSided "OneSided", 3 TwoSided "TwoSided",
    }
}

vocabulary! {
    /// What one step of a counter is: the part of PrtMarkerCounterUnitTC (RFC 3805) in use, and images for scans (PWG 5106.1).
    CounterUnit {
        1 Unspecified "other", 2 Unknown "unknown", 3 TenThousandthsOfInches "tenThousandthsOfInches",
        4 Micrometers "micrometers", 5 Characters "characters", 6 Lines "lines", 7 Impressions "impressions",
        8 Sheets "sheets", 9 DotRows "dotRow", 11 Hours "hours", 16 Feet "feet", 17 Meters "meters", 100 Images "images",
    }
}

vocabulary! {
    /// What a counter may be used for. `Meter` is what the device's own counter sheet shows and contracts bill; `Engine` is
    /// prtMarkerLifeCount, which may differ from the meter; `PowerOn` starts again at each start of the device.
    /// The codes are this project's own.
    Basis {
        1 Meter "Meter", 2 Engine "Engine", 3 PowerOn "PowerOn",
    }
}

vocabulary! {
    /// How sure it is that a value means what it is shown as. `verified`: a standard table, or a maker's place checked against
    /// counter sheets or from independent sources; `probable`: one source that tried it on devices; `unconfirmed`: one source
    /// that did not. An unconfirmed value never takes the place of a better one. The codes are this project's own, best first.
    Confidence {
        1 Verified "verified", 2 Probable "probable", 3 Unconfirmed "unconfirmed",
    }
}

vocabulary! {
    /// A field of a device's identity. The codes are this project's own.
    IdentityField {
        1 Manufacturer "manufacturer", 2 Model "model", 3 Serial "serial", 4 Firmware "firmware", 5 HostName "hostName",
        6 Mac "mac", 7 Location "location", 8 Contact "contact", 9 SysObjectId "sysObjectId", 10 Description "description",
    }
}

vocabulary! {
    /// What an agent's remark is about. Of a device: answers that go in circles (`loop`), rows beyond those that are read
    /// (`tooManyRows`), objects for which it does not answer (`unanswered`), polls at longer intervals because it is silent or
    /// slow (`polledLessSilent`, `polledLessSlow`), no profile for its maker (`noProfile`), a total that its parts do not make up
    /// (`partsDiffer`). Of the agent itself: an update that did not stay (`updateTakenBack`), a storage that fails (`cardFails`) or
    /// is full (`storageFull`), a system in which something does not run (`systemUnwell`). The codes are this project's own.
    RemarkCode {
        1 Loop "loop", 2 TooManyRows "tooManyRows", 3 Unanswered "unanswered", 4 PolledLessSilent "polledLessSilent",
        5 PolledLessSlow "polledLessSlow", 6 NoProfile "noProfile", 7 PartsDiffer "partsDiffer",
        8 UpdateTakenBack "updateTakenBack", 9 CardFails "cardFails", 10 StorageFull "storageFull",
        11 SystemUnwell "systemUnwell",
    }
}

vocabulary! {
    /// What makes a question of it whether two devices are one. The codes are this project's own.
    DoubtKind {
        1 LookAlike "lookAlike", 2 BoardSwapped "boardSwapped", 3 SerialTwice "serialTwice",
    }
}

vocabulary! {
    /// What happened to a device. `before` and `after` of the event are: addresses (`moved`, `alsoAt`), serial numbers, MACs, the
    /// reason of a silence, the names of counters, or the other device's name and the doubt (`asked`) or who decided (`same`,
    /// `another`; nobody: it showed by itself). The codes are this project's own.
    EventKind {
        1 Met "met", 2 Moved "moved", 3 AlsoAt "alsoAt", 4 SerialKnown "serialKnown", 5 SerialChanged "serialChanged",
        6 MacKnown "macKnown", 7 MacChanged "macChanged", 8 Silent "silent", 9 Answers "answers", 10 Backwards "backwards",
        11 Jumped "jumped", 12 Wrapped "wrapped", 13 Returned "returned", 14 Asked "asked", 15 Same "same",
        16 Another "another",
    }
}

impl Default for Confidence {
    /// What is not marked otherwise is read from a standard table.
    fn default() -> Self {
        Self::Verified
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_the_vocabulary_survives() {
        assert_eq!(SupplyKind::from_code(3), SupplyKind::Toner);
        assert_eq!(SupplyKind::from_code(77).keyword(), "77");
        assert_eq!(SupplyKind::from_keyword("77"), SupplyKind::from_code(77));
        assert_eq!(SupplyKind::from_keyword("perfume").keyword(), "perfume");
    }

    #[test]
    fn every_keyword_comes_back_as_itself() {
        for keyword in SupplyKind::KEYWORDS.iter().chain(AlertGroup::KEYWORDS) {
            assert_eq!(SupplyKind::from_keyword(keyword).keyword(), *keyword);
        }
    }
}
