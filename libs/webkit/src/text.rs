//! Two languages: which one a visitor reads, typed tables of texts, and how each writes numbers.
//!
//! Texts stand in tables made by [`texts!`](crate::texts), so that a text missing in one language does not compile.

use std::fmt::Display;

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English, where nothing else is known of the visitor.
    #[default]
    En,
    /// German.
    De,
}

impl Lang {
    /// The language tag of BCP 47.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language of a tag such as `de-AT`, where it is spoken here.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag.trim().split(['-', '_']).next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "de" => Some(Self::De),
            _ => None,
        }
    }

    /// The language that an Accept-Language header likes best (RFC 9110, 12.5.4); the first of equals.
    pub fn of_accept_language(header: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for choice in header.split(',').take(20) {
            let mut parts = choice.split(';');
            let Some(lang) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok())
                .map_or(1.0, |weight| weight.clamp(0.0, 1.0));
            if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
                best = Some((lang, weight));
            }
        }
        best.map(|(lang, _)| lang)
    }

    /// The language that the switch on the page offers, with its own name.
    pub fn other(self) -> (Self, &'static str) {
        match self {
            Self::En => (Self::De, "Deutsch"),
            Self::De => (Self::En, "English"),
        }
    }

    /// One of two texts: for the few that need no table.
    pub fn pick<'a>(self, english: &'a str, german: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::De => german,
        }
    }
}

/// Declares a table of texts: a struct with one `&'static str` per text and `of(lang)` to get the table of a language.
///
/// ```
/// webkit::texts! {
///     /// Texts of the example.
///     pub Texts {
///         hello: "Good day", "Guten Tag";
///     }
/// }
/// assert_eq!(Texts::of(webkit::text::Lang::De).hello, "Guten Tag");
/// ```
#[macro_export]
macro_rules! texts {
    ($(#[$doc:meta])* $visibility:vis $name:ident { $($key:ident: $english:expr, $german:expr;)* }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the English text is the documentation")]
        $visibility struct $name { $(pub $key: &'static str),* }

        impl $name {
            const ENGLISH: Self = Self { $($key: $english),* };
            const GERMAN: Self = Self { $($key: $german),* };

            /// The table of a language.
            $visibility fn of(lang: $crate::text::Lang) -> &'static Self {
                match lang {
                    $crate::text::Lang::En => &Self::ENGLISH,
                    $crate::text::Lang::De => &Self::GERMAN,
                }
            }
        }
    };
}

/// A text with each `{}` replaced by the next value.
pub fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut parts = text.split("{}");
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        if let Some(value) = values.next() {
            out.push_str(&value.to_string());
        }
        out.push_str(part);
    }
    out
}

/// A number with its thousands set apart as the language does: `12,345` or `12.345`.
pub fn number(lang: Lang, value: impl Into<u64>) -> String {
    let digits = value.into().to_string();
    let separator = match lang {
        Lang::En => ',',
        Lang::De => '.',
    };
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_language_wins() {
        assert_eq!(Lang::of_accept_language("de-DE,de;q=0.9,en;q=0.8"), Some(Lang::De));
        assert_eq!(Lang::of_accept_language("en;q=0.3, de;q=0.7"), Some(Lang::De));
        assert_eq!(Lang::of_accept_language("fr, en-GB"), Some(Lang::En));
        assert_eq!(Lang::of_accept_language("fr"), None);
        assert_eq!(Lang::of_accept_language("de;q=0"), None);
        assert_eq!(Lang::of_accept_language(",;;q=,de;q=x"), Some(Lang::De));
    }

    #[test]
    fn numbers_are_set_apart_by_thousands() {
        assert_eq!(number(Lang::De, 1_234_567_u64), "1.234.567");
        assert_eq!(number(Lang::En, 999_u64), "999");
        assert_eq!(number(Lang::En, 1000_u64), "1,000");
        assert_eq!(number(Lang::En, 0_u64), "0");
    }

    #[test]
    fn gaps_are_filled_in_order() {
        assert_eq!(fill("{} of {}", &[&1, &"x"]), "1 of x");
        assert_eq!(fill("{} {}", &[&1]), "1 ");
    }
}
