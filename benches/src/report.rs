//! The tables of a run, for people: in Markdown, which a terminal shows as well.

use std::fmt::Write as _;

use crate::contender::Contender;
use crate::metric::{Metric, digits};
use crate::results::{Results, Settings};

/// A load that had more of its core than this is what held the figure back.
const BUSY: f64 = 0.9;

/// What stands where the load itself was the bottleneck.
const HELD_BACK: &str = "†";

/// Both tables, and what they are of.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = preamble(results);
    text += &contenders(results);
    text += &library(results);
    text
}

fn preamble(results: &Results) -> String {
    let machine = &results.machine;
    let Settings {
        placement,
        rounds,
        slice_seconds,
        rate_per_second,
        idle_connections,
    } = &results.settings;
    format!(
        "{processor}, {cores} cores, {memory}, Linux {kernel}; load average {load} before; \
         commit {commit}.\n\
         {rounds} rounds of {slice_seconds} s for each cell, interleaved; {placement}. The open \
         loop has {rate_per_second} requests/s on 16 connections; {idle_connections} connections \
         idle.\n\n",
        processor = machine.processor,
        cores = machine.cores,
        memory = machine.memory,
        kernel = machine.kernel,
        load = machine.load_average,
        commit = machine.commit,
    )
}

fn contenders(results: &Results) -> String {
    let contenders = results.contenders();
    let rows: Vec<Vec<String>> = Metric::ALL
        .into_iter()
        .filter_map(|metric| {
            let cells: Vec<_> = contenders
                .iter()
                .map(|contender| cell(results, metric, *contender))
                .collect();
            cells.iter().any(Option::is_some).then(|| {
                let cells = cells.into_iter().map(|it| it.unwrap_or_else(|| "–".into()));
                [title(metric)].into_iter().chain(cells).collect()
            })
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let titles = contenders.iter().map(|it| it.title().to_owned());
    let mut text = table([String::new()].into_iter().chain(titles).collect(), rows);
    text += "\n`×` is the ratio to native tokio in the same round, `±` half of the range of the \
             rounds.";
    if text.contains(HELD_BACK) {
        let _ = write!(
            text,
            " {HELD_BACK}: the load had its core to more than {:.0}%, so the server could do \
             more; what it takes of its CPU is right all the same.",
            BUSY * 100.0
        );
    }
    text + "\n"
}

/// `5.68 µs ±3% (1.07×)`.
fn cell(results: &Results, metric: Metric, contender: Contender) -> Option<String> {
    let value = results.summary(metric, Some(contender))?;
    let mut cell = metric.unit().show(value.median);
    if results.settings.rounds > 1 {
        let _ = write!(cell, " ±{:.0}%", value.spread * 100.0);
    }
    if contender != Contender::Native
        && let Some(ratio) = results.ratio(metric, contender)
    {
        let _ = write!(cell, " ({}×)", digits(ratio.median));
    }
    let load = results.load_share(metric, contender);
    if metric.unit().is_rate() && load.is_some_and(|share| share > BUSY) {
        cell += HELD_BACK;
    }
    Some(cell)
}

fn library(results: &Results) -> String {
    let rows: Vec<Vec<String>> = Metric::ALL
        .into_iter()
        .filter_map(|metric| {
            let value = results.summary(metric, None)?;
            let figure = metric.unit().show(value.median);
            Some(vec![
                title(metric),
                format!("{figure} ±{:.0}%", value.spread * 100.0),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = vec!["the library by itself".to_owned(), String::new()];
    format!("\n{}", table(head, rows))
}

/// The title with what is good.
fn title(metric: Metric) -> String {
    let arrow = match metric.unit().is_rate() {
        true => "↑",
        false => "↓",
    };
    format!("{} {arrow}", metric.title())
}

/// A table whose columns line up in the source as well.
fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths);
        let padded = cells.map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule: String = widths
        .iter()
        .map(|width| format!("{}|", "-".repeat(width + 2)))
        .collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}|{rule}\n{body}", line(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let table = table(
            vec!["".into(), "native".into()],
            vec![vec!["CPU ↓".into(), "5.68 µs".into()]],
        );
        let expected = "\
|       | native  |
|-------|---------|
| CPU ↓ | 5.68 µs |
";
        assert_eq!(table, expected);
    }
}
