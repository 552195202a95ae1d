//! CSV as the manager exports it; the columns are defined in docs/manager-csv.md.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use webkit::page::Problem;

/// A table in the making.
pub struct Table(csv::Writer<Vec<u8>>);

impl Table {
    /// A table with these columns. Begins with a byte order mark: without one Excel takes UTF-8 for something else.
    pub fn new(columns: &[&str]) -> Result<Self, Problem> {
        let mut format = csv::WriterBuilder::new();
        format.terminator(csv::Terminator::CRLF);
        let mut table = Self(format.from_writer("\u{feff}".as_bytes().to_vec()));
        table.0.write_record(columns).map_err(|error| Problem::internal(error.into()))?;
        Ok(table)
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) -> Result<(), Problem> {
        self.0.write_record(cells.map(harmless)).map_err(|error| Problem::internal(error.into()))
    }

    /// The table as a download.
    pub fn download(self, file_name: &str) -> Result<Response, Problem> {
        let bytes = self.0.into_inner().map_err(|error| Problem::internal(anyhow::anyhow!("{error}")))?;
        let disposition = HeaderValue::try_from(format!("attachment; filename=\"{file_name}\""))
            .map_err(|error| Problem::internal(error.into()))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
            (header::CONTENT_DISPOSITION, disposition),
        ];
        Ok((headers, bytes).into_response())
    }
}

/// A cell that no spreadsheet takes for a formula: what devices say of themselves is not to be trusted.
fn harmless(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

/// A time as it stands in exports: RFC 3339 in UTC, to the second.
pub fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_separators_quoted() {
        let mut table = Table::new(&["a", "b"]).unwrap();
        table.row(["=HYPERLINK(\"x\")".to_owned(), "plain, with comma".to_owned()]).unwrap();
        table.row(["-1+1".to_owned(), "@x".to_owned()]).unwrap();
        let text = String::from_utf8(table.0.into_inner().unwrap()).unwrap();
        assert_eq!(text, "\u{feff}a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",\"plain, with comma\"\r\n'-1+1,'@x\r\n");
    }
}
