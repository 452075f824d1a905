//! The report of the GPU benchmark as Markdown tables.

use std::fmt::Write as _;

use serde_json::Value;

/// All parts that the report contains.
pub(super) fn markdown(report: &Value) -> String {
    let mut text = String::from("# GPU benchmark\n");
    let parts = report.as_object().into_iter().flatten().filter(|(_, part)| part.is_object());
    for (name, part) in parts {
        let _ = write!(text, "\n## {}\n\n", name.replace('_', " "));
        for failure in part["failed"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "- **failed**: {}", cell(failure));
        }
        let rows = part["rows"].as_array();
        if let Some(rows) = rows {
            text.push_str(&table(rows));
        }
        let single = part.as_object().into_iter().flatten();
        for (key, value) in single.filter(|(_, value)| !value.is_array() && !value.is_object()) {
            let _ = writeln!(text, "- {}: {}", key.replace('_', " "), cell(value));
        }
        for row in rows.into_iter().flatten().filter(|row| row["profile"].is_object()) {
            let (profile, workload) = (&row["profile"], cell(&row["workload"]));
            let peaks = [&profile["peak_gflops"], &profile["peak_gb_per_s"]].map(cell);
            let _ = write!(
                text,
                "\n### {workload}, {}\n\nPeaks: {} GFLOP/s, {} GB/s.\n\n",
                cell(&row["kernels"]),
                peaks[0],
                peaks[1]
            );
            text.push_str(&table(profile["kernels"].as_array().map_or(&[], Vec::as_slice)));
        }
    }
    text
}

/// A table with a column for every key of the rows that is not itself a table.
fn table(rows: &[Value]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for (key, value) in rows.iter().filter_map(Value::as_object).flatten() {
        let plain = !value.is_object() && value.as_array().is_none_or(|list| !list.is_empty());
        if plain && !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    // Names first, numbers after them.
    columns.sort_by_key(|column| !rows.iter().any(|row| row[*column].is_string()));
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|column| column.replace('_', " ")).collect());
    text.push_str(&line(vec!["---".into(); columns.len()]));
    for row in rows {
        text.push_str(&line(columns.iter().map(|column| cell(&row[*column])).collect()));
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace('|', "\\|"),
        Value::Number(number) if number.is_f64() => match number.as_f64().unwrap_or_default() {
            large if large.abs() >= 100.0 => format!("{large:.0}"),
            number if number.abs() >= 1.0 => format!("{number:.2}"),
            small => format!("{small:.4}"),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_become_tables_and_failures_come_first() {
        let part = json!({
            "failed": ["matmul_nt: element 3"], "seconds": 1.25,
            "rows": [{ "kernel": "a|b", "ms": 0.5 }, { "kernel": "c", "ms": 1234.5, "problems": [] }],
        });
        let text = markdown(&json!({ "small": true, "matmul": part }));
        let expected = "# GPU benchmark\n\n## matmul\n\n- **failed**: matmul_nt: element 3\n| kernel | ms |\n\
                        | --- | --- |\n| a\\|b | 0.5000 |\n| c | 1234 |\n- seconds: 1.25\n";
        assert_eq!(text, expected);
    }
}
