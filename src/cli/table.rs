//! Tables that people keep: CSV in and out.

use super::Failure;
use super::connect::request_id;
use eutectic_proto::control::v1 as wire;
use std::io::Read as _;
use std::path::Path;

/// The largest table, in bytes.
const MAX_TABLE_BYTES: u64 = 16 * 1024 * 1024;

/// A CSV file as a request; `-` is standard input.
pub(super) fn read(path: &Path, campaign: Option<String>) -> Result<wire::TableRequest, Failure> {
    let shown = path.display();
    let failed = |error: std::io::Error| Failure::new(format!("'{shown}' can't be read: {error}"), "");
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_TABLE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_TABLE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > MAX_TABLE_BYTES {
        return Err(Failure::new(format!("'{shown}' is larger than {} MiB", MAX_TABLE_BYTES >> 20), "split it"));
    }
    parse(&bytes, campaign).map_err(|error| {
        Failure::new(
            format!("'{shown}' is no CSV table: {error}"),
            "the first line names the columns, each line has as many cells",
        )
    })
}

fn parse(bytes: &[u8], campaign: Option<String>) -> Result<wire::TableRequest, csv::Error> {
    // Spreadsheets write a mark before the first column's name.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(bytes);
    let columns = reader.headers()?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = record.iter().map(str::to_owned).collect();
        rows.push(wire::table_request::Row { cells, line: u32::try_from(line).unwrap_or(u32::MAX) });
    }
    Ok(wire::TableRequest { request_id: request_id(), campaign: campaign.unwrap_or_default(), columns, rows })
}

/// Lines of CSV.
pub(super) struct Writer(csv::Writer<Vec<u8>>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(csv::Writer::from_writer(Vec::new()))
    }

    pub(super) fn row<T: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = T>) -> Result<(), Failure> {
        self.0.write_record(cells).map_err(|error| Failure::new(error.to_string(), ""))
    }

    pub(super) fn print(self) -> Result<(), Failure> {
        let bytes = self.0.into_inner().map_err(|error| Failure::new(error.to_string(), ""))?;
        super::output::line(String::from_utf8_lossy(&bytes).trim_end());
        Ok(())
    }
}
