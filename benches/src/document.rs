//! The figures in `docs/`: nobody types them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const DOCUMENT: &str = "docs/benchmarks.md";
const CHART: &str = "docs/benchmarks.svg";

/// Between these lines of the document are the tables, and nothing else.
const BEGIN: &str = "<!-- as measured: begin -->\n";
const END: &str = "<!-- as measured: end -->\n";

/// Puts the tables and the chart there.
pub(crate) fn update(tables: &str, chart: &str) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(DOCUMENT);
    let document = fs::read_to_string(&path).context(DOCUMENT)?;
    let document =
        replaced(&document, tables).with_context(|| format!("{DOCUMENT} has no place for them"))?;
    fs::write(&path, document).context(DOCUMENT)?;
    fs::write(root.join(CHART), chart).context(CHART)
}

fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!(
        "{before}{BEGIN}\n{}\n\n{END}{after}",
        tables.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_go_between_the_marks_and_nowhere_else() {
        let document = format!("a\n{BEGIN}old\n{END}b\n");
        let expected = format!("a\n{BEGIN}\nnew\n\n{END}b\n");
        assert_eq!(replaced(&document, "new\n"), Some(expected));
        assert_eq!(replaced("a\n", "new\n"), None);
    }
}
