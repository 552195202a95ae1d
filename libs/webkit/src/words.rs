//! The vocabulary of `wire` in two languages. A value outside it is shown as the device sent it.

use std::borrow::Cow;

use wire::{
    device::{Condition, Counter, TrayKind},
    vocab::{
        AlertGroup, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, InputKind, MediaSize,
        OutputKind, PrinterState, Service, Sides, SupplyKind, SupplyUnit, TrayUnit,
    },
};

use crate::text::Lang;

/// Declares a function from a vocabulary to words; the compiler sees to it that none is forgotten.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($vocabulary:ident) { $($variant:ident $english:literal $german:literal,)* })*) => {$(
        $(#[$doc])*
        pub fn $name(lang: Lang, value: &$vocabulary) -> Cow<'_, str> {
            match value {
                $($vocabulary::$variant => Cow::Borrowed(lang.pick($english, $german)),)*
                $vocabulary::Other(raw) => Cow::Borrowed(raw),
            }
        }
    )*};
}

words! {
    /// What a supply is.
    supply_kind(SupplyKind) {
        Unspecified "Supply" "Verbrauchsmaterial", Unknown "Supply" "Verbrauchsmaterial", Toner "Toner" "Toner",
        WasteToner "Waste toner" "Resttoner", Ink "Ink" "Tinte", InkCartridge "Ink cartridge" "Tintenpatrone",
        InkRibbon "Ink ribbon" "Farbband", WasteInk "Waste ink" "Resttinte", Opc "Drum" "Trommel",
        Developer "Developer" "Entwickler", FuserOil "Fuser oil" "Fixieröl", SolidWax "Solid ink" "Festtinte",
        RibbonWax "Wax ribbon" "Wachsband", WasteWax "Waste wax" "Restwachs", Fuser "Fuser" "Fixiereinheit",
        CoronaWire "Corona wire" "Koronadraht", FuserOilWick "Fuser oil wick" "Fixieröldocht",
        CleanerUnit "Cleaning unit" "Reinigungseinheit", FuserCleaningPad "Fuser cleaning pad" "Reinigungsvlies",
        TransferUnit "Transfer unit" "Transfereinheit", TonerCartridge "Toner cartridge" "Tonerkassette",
        FuserOiler "Fuser oiler" "Fixierölspender", Water "Water" "Wasser", WasteWater "Waste water" "Abwasser",
        GlueWaterAdditive "Glue additive" "Leimzusatz", WastePaper "Waste paper" "Papierabfall",
        BindingSupply "Binding supply" "Bindematerial", BandingSupply "Banding supply" "Banderolenmaterial",
        StitchingWire "Stitching wire" "Heftdraht", ShrinkWrap "Shrink wrap" "Schrumpffolie",
        PaperWrap "Paper wrap" "Einschlagpapier", Staples "Staples" "Heftklammern", Inserts "Inserts" "Einlagen",
        Covers "Covers" "Deckblätter", MatteToner "Matte toner" "Matttoner", MatteInk "Matte ink" "Matttinte",
    }
    /// The colour of a supply.
    colorant(Colorant) {
        Black "black" "Schwarz", Cyan "cyan" "Cyan", Magenta "magenta" "Magenta", Yellow "yellow" "Gelb",
        LightCyan "light cyan" "Hellcyan", LightMagenta "light magenta" "Hellmagenta", LightBlack "light black" "Hellschwarz",
        MatteBlack "matte black" "Mattschwarz", PhotoBlack "photo black" "Fotoschwarz", Gray "grey" "Grau",
        LightGray "light grey" "Hellgrau", Red "red" "Rot", Green "green" "Grün", Blue "blue" "Blau",
        Orange "orange" "Orange", Violet "violet" "Violett", White "white" "Weiß", Clear "clear" "Klar",
        Color "colour" "Farbe",
    }
    /// The unit of a supply.
    supply_unit(SupplyUnit) {
        Unspecified "" "", Unknown "" "", TenThousandthsOfInches "1/10,000 in" "1/10.000 Zoll", Micrometers "µm" "µm",
        Impressions "pages" "Seiten", Sheets "sheets" "Blatt", Hours "hours" "Stunden",
        ThousandthsOfOunces "1/1,000 oz" "1/1.000 oz", TenthsOfGrams "1/10 g" "1/10 g",
        HundrethsOfFluidOunces "1/100 fl oz" "1/100 fl oz", TenthsOfMilliliters "1/10 ml" "1/10 ml", Feet "feet" "Fuß",
        Meters "m" "m", Items "items" "Stück", Percent "%" "%",
    }
    /// The unit of a tray.
    tray_unit(TrayUnit) {
        Unspecified "" "", Unknown "" "", TenThousandthsOfInches "1/10,000 in" "1/10.000 Zoll", Micrometers "µm" "µm",
        Sheets "sheets" "Blatt", Feet "feet" "Fuß", Meters "m" "m", Items "items" "Stück", Percent "%" "%",
    }
    /// What an input is.
    input_kind(InputKind) {
        Unspecified "Input" "Zufuhr", Unknown "Input" "Zufuhr", RemovableTray "Tray" "Kassette",
        FixedTray "Fixed tray" "Festes Fach", ManualFeed "Manual feed" "Manuelle Zufuhr",
        ContinuousRoll "Roll" "Rolle", ContinuousFanFold "Fan-fold" "Endlospapier",
        PullFeed "Pull feed" "Zugzufuhr",
    }
    /// What an output is.
    output_kind(OutputKind) {
        Unspecified "Output" "Ablage", Unknown "Output" "Ablage", RemovableBin "Removable bin" "Abnehmbare Ablage",
        UnremovableBin "Output bin" "Ablage", ContinuousRoll "Roll" "Rolle", Mailbox "Mailbox" "Mailbox",
        ContinuousFanFold "Fan-fold" "Endlospapier",
    }
    /// What the printer does.
    printer_state(PrinterState) {
        Unspecified "in another state" "in anderem Zustand", Unknown "state unknown" "Zustand unbekannt", Idle "ready" "bereit",
        Printing "printing" "druckt", Warmup "warming up" "wärmt auf",
    }
    /// A condition that the device has detected.
    detected_error(DetectedError) {
        LowPaper "Paper is low" "Papier geht zur Neige", NoPaper "Out of paper" "Kein Papier",
        LowToner "Toner is low" "Toner geht zur Neige", NoToner "Out of toner" "Kein Toner",
        DoorOpen "A cover is open" "Eine Abdeckung ist offen", Jammed "Paper jam" "Papierstau", Offline "Offline" "Offline",
        ServiceRequested "Wants service" "Braucht Wartung", InputTrayMissing "A paper tray is missing" "Eine Kassette fehlt",
        OutputTrayMissing "An output tray is missing" "Eine Ablage fehlt",
        MarkerSupplyMissing "A supply is missing" "Ein Verbrauchsmaterial fehlt",
        OutputNearFull "Output is nearly full" "Ablage fast voll", OutputFull "Output is full" "Ablage voll",
        InputTrayEmpty "A paper tray is empty" "Eine Kassette ist leer",
        OverduePreventMaint "Maintenance is overdue" "Wartung überfällig",
    }
    /// The part of the printer that an alert is about.
    alert_group(AlertGroup) {
        Unspecified "Device" "Gerät", Unknown "Device" "Gerät", HostResources "Storage" "Speicher", HostResourcesDevice "Device" "Gerät",
        GeneralPrinter "Printer" "Drucker", Cover "Cover" "Abdeckung", Localization "Language" "Sprache",
        Input "Paper input" "Papierzufuhr", Output "Paper output" "Papierausgabe", Marker "Print engine" "Druckwerk",
        MarkerSupplies "Supplies" "Verbrauchsmaterial", MarkerColorant "Colorant" "Farbmittel",
        MediaPath "Paper path" "Papierweg", Channel "Interface" "Schnittstelle", Interpreter "Interpreter" "Interpreter",
        ConsoleDisplayBuffer "Display" "Anzeige", ConsoleLights "Lights" "Leuchten", Alert "Alerts" "Meldungen",
        FinDevice "Finisher" "Finisher", FinSupply "Finisher supply" "Finisher-Material",
        FinSupplyMediaInput "Finisher input" "Finisher-Zufuhr", FinAttribute "Finisher" "Finisher",
    }
    /// The service that a counter belongs to.
    service(Service) {
        System "Total" "Gesamt", Print "Print" "Druck", Copy "Copy" "Kopie", Fax "Fax" "Fax", Scan "Scan" "Scan",
        Unspecified "Other" "Sonstige",
    }
    /// The use of colour that a counter counts.
    color_use(ColorUse) {
        Any "" "", Monochrome "black and white" "Schwarzweiß", Color "colour" "Farbe", FullColor "full colour" "Vollfarbe",
        HighlightColor "highlight colour" "Schmuckfarbe", SingleColor "single colour" "Einzelfarbe", Blank "blank" "leer",
    }
    /// The sizes that a counter counts.
    media_size(MediaSize) {
        Any "" "", Large "large (A3)" "groß (A3)", Small "small (A4)" "klein (A4)",
    }
    /// The sides that a counter counts.
    sides(Sides) {
        Any "" "", OneSided "one-sided" "einseitig", TwoSided "two-sided" "doppelseitig",
    }
    /// What one step of a counter is.
    counter_unit(CounterUnit) {
        Unspecified "" "", Unknown "" "", TenThousandthsOfInches "1/10,000 in" "1/10.000 Zoll", Micrometers "µm" "µm",
        Characters "characters" "Zeichen", Lines "lines" "Zeilen", Impressions "pages" "Seiten", Sheets "sheets" "Blatt",
        DotRows "dot rows" "Punktreihen", Hours "hours" "Stunden", Feet "feet" "Fuß", Meters "m" "m", Images "images" "Bilder",
    }
    /// What a counter may be used for.
    basis(Basis) {
        Meter "meter" "Zählwerk", Engine "engine count" "Druckwerkszähler", PowerOn "since power-on" "seit dem Einschalten",
    }
}

/// How urgently a device needs a person.
pub fn condition(lang: Lang, condition: Condition) -> &'static str {
    match condition {
        Condition::Unknown => lang.pick("Unknown", "Unbekannt"),
        Condition::Good => lang.pick("Good", "In Ordnung"),
        Condition::Warning => lang.pick("Warning", "Warnung"),
        Condition::Critical => lang.pick("Needs attention", "Störung"),
    }
}

/// What a tray is.
pub fn tray_kind(lang: Lang, kind: &TrayKind) -> Cow<'_, str> {
    match kind {
        TrayKind::Input(kind) => input_kind(lang, kind),
        TrayKind::Output(kind) => output_kind(lang, kind),
    }
}

/// How sure it is that a value means what it is shown as.
pub fn confidence(lang: Lang, confidence: &Confidence) -> Cow<'_, str> {
    Cow::Borrowed(match (confidence, lang) {
        (Confidence::Verified, Lang::En) => "verified",
        (Confidence::Verified, Lang::De) => "geprüft",
        (Confidence::Probable, Lang::En) => "probable",
        (Confidence::Probable, Lang::De) => "wahrscheinlich",
        (Confidence::Unconfirmed, Lang::En) => "unconfirmed",
        (Confidence::Unconfirmed, Lang::De) => "unbestätigt",
        (Confidence::Other(word), _) => word,
    })
}

/// What a counter counts: `Copy · colour · large (A3)`.
pub fn counter_name(lang: Lang, counter: &Counter) -> String {
    let parts = [
        service(lang, &counter.service),
        color_use(lang, &counter.color),
        media_size(lang, &counter.size),
        sides(lang, &counter.sides),
        match counter.basis {
            Basis::Meter => Cow::Borrowed(""),
            ref other => basis(lang, other),
        },
        match (counter.counts_originals(), lang) {
            (false, _) => Cow::Borrowed(""),
            (true, Lang::En) => Cow::Borrowed("originals"),
            (true, Lang::De) => Cow::Borrowed("Vorlagen"),
        },
    ];
    let words: Vec<&str> = parts.iter().map(AsRef::as_ref).filter(|word| !word.is_empty()).collect();
    words.join(" · ")
}
