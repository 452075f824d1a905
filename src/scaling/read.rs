//! Reads tables of runs from CSV, JSON and JSON Lines, with the column names that papers and programs use.

use serde_json::{Map, Value};

use super::error::ScalingError;
use super::table::{FLOPS_PER_PARAM_AND_TOKEN, Run};

/// Maximum size of a file, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// Maximum number of rows.
pub const MAX_ROWS: usize = 5_000;

/// Maximum number of columns.
const MAX_COLUMNS: usize = 1_000;

/// Maximum number of column names in a message.
const MAX_NAMES: usize = 20;

/// Column names of parameters, tokens, FLOPs and loss: letters and digits in lower case, the preferred one first.
const NAMES: [&[&str]; 4] = [
    &[
        "n",
        "params",
        "parameters",
        "nparams",
        "numparams",
        "numparameters",
        "nparameters",
        "totalparams",
        "totalparameters",
        "numberofparameters",
        "modelparams",
        "modelparameters",
        "modelsize",
        "size",
    ],
    &[
        "d",
        "tokens",
        "ntokens",
        "numtokens",
        "trainingtokens",
        "traintokens",
        "tokenstrained",
        "numberoftokens",
        "datasettokens",
        "datasetsize",
        "datasize",
    ],
    &[
        "c",
        "flops",
        "flop",
        "trainingflops",
        "trainingflop",
        "trainflops",
        "totalflops",
        "computebudget",
        "flopbudget",
        "flopsbudget",
        "computeflops",
        "computeflop",
        "compute",
        "budget",
    ],
    &[
        "valloss",
        "validationloss",
        "heldoutloss",
        "evalloss",
        "testloss",
        "finalvalloss",
        "finalloss",
        "loss",
        "trainloss",
        "l",
    ],
];

/// Names of the quantities in messages, and of their columns in `--columns`.
const QUANTITIES: [(&str, &str); 4] = [("parameters", "n"), ("tokens", "d"), ("FLOPs", "c"), ("loss", "loss")];

/// Columns that hold parameters, tokens, FLOPs and loss; `None` to recognize them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns([Option<String>; 4]);

impl Columns {
    /// Parses `n=NAME,d=NAME,c=NAME,loss=NAME`, of which any can be left out.
    ///
    /// # Errors
    /// If a part is not of this form.
    pub fn parse(text: &str) -> Result<Self, ScalingError> {
        let mut columns = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let chosen = part.split_once('=').and_then(|(key, name)| {
                let key = key.trim().to_lowercase();
                let index = QUANTITIES.iter().position(|(_, short)| *short == key)?;
                Some((index, name.trim()))
            });
            let (index, name) = chosen.ok_or_else(|| ScalingError::Columns { value: text.into() })?;
            columns.0[index] = Some(name.into());
        }
        Ok(columns)
    }

    /// The index of a quantity's column.
    fn find(&self, quantity: usize, header: &[String]) -> Option<usize> {
        match &self.0[quantity] {
            Some(name) => header.iter().position(|column| column == name),
            None => NAMES[quantity].iter().find_map(|known| header.iter().position(|column| plain(column) == *known)),
        }
    }
}

/// A name's letters and digits, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The runs of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Rows with usable numbers.
    pub runs: Vec<Run>,
    /// Number of rows without them, for example of runs that diverged.
    pub skipped: usize,
}

/// Reads a table. Two of parameters, tokens and FLOPs suffice, because C = 6·N·D.
///
/// # Errors
/// If it is not a table, a column is missing, or it is too large.
pub fn read(bytes: &[u8], columns: &Columns) -> Result<Table, ScalingError> {
    if bytes.len() > MAX_BYTES {
        return Err(ScalingError::TooLarge { max: MAX_BYTES >> 20, unit: "MiB" });
    }
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let (header, rows) = match text.trim_start().as_bytes().first() {
        Some(b'[' | b'{') => json_rows(&text)?,
        _ => csv_rows(&text)?,
    };
    if rows.len() > MAX_ROWS {
        return Err(ScalingError::TooLarge { max: MAX_ROWS, unit: "rows" });
    }
    let indices = chosen(&header, columns)?;
    let runs: Vec<Run> = rows.iter().filter_map(|row| run(row, &indices)).collect();
    Ok(Table { skipped: rows.len() - runs.len(), runs })
}

/// The index of each quantity's column; at most one of parameters, tokens and FLOPs may be missing.
fn chosen(header: &[String], columns: &Columns) -> Result<[Option<usize>; 4], ScalingError> {
    let indices: [Option<usize>; 4] = std::array::from_fn(|quantity| columns.find(quantity, header));
    let missing = |quantity: usize| {
        let (name, example) = QUANTITIES[quantity];
        let found: Vec<String> = header.iter().take(MAX_NAMES).map(|name| name.chars().take(40).collect()).collect();
        ScalingError::Column { quantity: name, example, found: format!("[{}]", found.join(", ")) }
    };
    let named = (0..4).find(|&quantity| columns.0[quantity].is_some() && indices[quantity].is_none());
    let unknown: Vec<usize> = (0..3).filter(|&quantity| indices[quantity].is_none()).collect();
    match (named, indices[3], unknown.len()) {
        (Some(quantity), ..) => Err(missing(quantity)),
        (_, None, _) => Err(missing(3)),
        (_, _, 2..) => Err(missing(unknown[0])),
        _ => Ok(indices),
    }
}

/// Values of one row, in the order of the header.
type Row = Vec<Option<f64>>;

/// The run of a row; `None` without usable numbers.
fn run(row: &Row, indices: &[Option<usize>; 4]) -> Option<Run> {
    let value = |quantity: usize| indices[quantity].and_then(|index| row.get(index).copied().flatten());
    let (n, d, c, loss) = (value(0), value(1), value(2), value(3)?);
    let k = FLOPS_PER_PARAM_AND_TOKEN;
    let (n, d) = match (n, d, c) {
        (Some(n), Some(d), _) => (n, d),
        (Some(n), None, Some(c)) => (n, c / (k * n)),
        (None, Some(d), Some(c)) => (c / (k * d), d),
        _ => return None,
    };
    let run = Run { n, d, loss };
    run.is_valid().then_some(run)
}

fn csv_rows(text: &str) -> Result<(Vec<String>, Vec<Row>), ScalingError> {
    let format = |error: csv::Error| ScalingError::Format { problem: error.to_string() };
    let first = text.lines().next().unwrap_or_default();
    // Spreadsheets of some languages separate columns by semicolons, others by tabs.
    let delimiter =
        *b",;\t".iter().max_by_key(|&&mark| first.bytes().filter(|&byte| byte == mark).count()).unwrap_or(&b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().map_err(format)?.iter().map(|name| name.trim().into()).collect();
    check_columns(header.len())?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(format)?;
        rows.push(record.iter().take(header.len()).map(number).collect());
        check_rows(rows.len())?;
    }
    Ok((header, rows))
}

fn check_rows(count: usize) -> Result<(), ScalingError> {
    if count > MAX_ROWS { Err(ScalingError::TooLarge { max: MAX_ROWS, unit: "rows" }) } else { Ok(()) }
}

fn check_columns(count: usize) -> Result<(), ScalingError> {
    if count > MAX_COLUMNS { Err(ScalingError::TooLarge { max: MAX_COLUMNS, unit: "columns" }) } else { Ok(()) }
}

/// A number as people write it, for example `1e18` or `1_000`.
fn number(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

/// Rows of an array of objects, of such an array inside an object, of columns, or of JSON Lines.
fn json_rows(text: &str) -> Result<(Vec<String>, Vec<Row>), ScalingError> {
    let objects = match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items,
        Ok(Value::Object(object)) => from_object(object)?,
        Ok(_) => Vec::new(),
        Err(error) => json_lines(text).ok_or_else(|| ScalingError::Format { problem: error.to_string() })?,
    };
    let mut header: Vec<String> = Vec::new();
    check_rows(objects.len())?;
    let Some(Value::Object(first)) = objects.first() else {
        return Err(ScalingError::Format { problem: "there is no object with the fields of a run".into() });
    };
    header.extend(first.keys().cloned());
    check_columns(header.len())?;
    let cell = |object: &Value, name: &String| match object.get(name) {
        Some(Value::Number(value)) => value.as_f64(),
        Some(Value::String(text)) => number(text),
        _ => None,
    };
    let rows = objects.iter().map(|object| header.iter().map(|name| cell(object, name)).collect()).collect();
    Ok((header, rows))
}

/// One object on each line.
fn json_lines(text: &str) -> Option<Vec<Value>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut values = Vec::new();
    for line in lines.take(MAX_ROWS + 1) {
        values.push(serde_json::from_str(line).ok().filter(Value::is_object)?);
    }
    Some(values)
}

/// The rows of an object: its first array of objects, or its arrays of numbers as columns.
fn from_object(object: Map<String, Value>) -> Result<Vec<Value>, ScalingError> {
    let is_rows = |value: &Value| value.as_array().is_some_and(|items| items.first().is_some_and(Value::is_object));
    if object.values().any(is_rows) {
        let rows = object.into_iter().find(|(_, value)| is_rows(value)).map(|(_, value)| value);
        return Ok(match rows {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        });
    }
    if !object.values().any(Value::is_array) {
        // JSON Lines with one line.
        return Ok(vec![Value::Object(object)]);
    }
    let columns: Vec<(String, Vec<Value>)> = object
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Array(items) => Some((name, items)),
            _ => None,
        })
        .collect();
    check_columns(columns.len())?;
    let n_rows = columns.iter().map(|(_, items)| items.len()).max().unwrap_or(0);
    check_rows(n_rows)?;
    let row = |at: usize| {
        let cells = columns.iter().map(|(name, items)| (name.clone(), items.get(at).cloned().unwrap_or(Value::Null)));
        Value::Object(cells.collect())
    };
    Ok((0..n_rows).map(row).collect())
}
