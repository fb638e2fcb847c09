//! Figures as Prometheus reads them: OpenMetrics 1.0's text format, and nothing
//! that is not in it.

use std::collections::{BTreeMap, BTreeSet};

/// What was measured: each sample by its name and labels.
#[derive(Debug)]
pub(crate) struct Figures {
    samples: BTreeMap<String, f64>,
    families: BTreeMap<String, String>,
}

impl Figures {
    /// Reads all of it, or fails the test.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        let mut figures = Self {
            samples: BTreeMap::new(),
            families: BTreeMap::new(),
        };
        let (mut family, mut helped) = (String::new(), BTreeSet::new());
        for line in text.split_terminator('\n') {
            if let Some(about) = line.strip_prefix("# ") {
                let (kind, rest) = about.split_once(' ').unwrap();
                let (name, rest) = rest.split_once(' ').unwrap();
                assert!(is_name(name), "{line}");
                match kind {
                    "HELP" => assert!(helped.insert(name.to_owned()), "twice: {line}"),
                    "TYPE" => {
                        let twice = figures.families.insert(name.into(), rest.into());
                        assert_eq!(twice, None, "twice: {line}");
                        name.clone_into(&mut family);
                    }
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            check_labels(&sample[name.len()..]);
            let suffix = name.strip_prefix(family.as_str()).expect(line);
            let suffixes: &[&str] = match figures.families[&family].as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_count", "_sum"],
                "info" => &["_info"],
                _ => panic!("{family} is of no type that there is"),
            };
            assert!(suffixes.contains(&suffix), "{line}");
            let twice = figures
                .samples
                .insert(sample.into(), value.parse().unwrap());
            assert_eq!(twice, None, "twice: {line}");
        }
        figures.check_histograms();
        figures
    }

    /// One of them, by its name and labels.
    #[track_caller]
    pub(crate) fn of(&self, sample: &str) -> f64 {
        match self.samples.get(sample) {
            Some(value) => *value,
            None => panic!("{sample} is none of {:#?}", self.samples.keys()),
        }
    }

    /// All samples of a name, whatever their labels.
    pub(crate) fn all(&self, name: &str) -> BTreeMap<&str, f64> {
        let start = format!("{name}{{");
        let of_name = |sample: &&String| sample.starts_with(&start);
        let samples = self.samples.iter();
        samples
            .filter(|(sample, _)| of_name(sample))
            .map(|(sample, value)| (sample.as_str(), *value))
            .collect()
    }

    /// The names and types of what was measured.
    pub(crate) fn families(&self) -> &BTreeMap<String, String> {
        &self.families
    }

    /// Each bucket holds those before it, and the last one all.
    fn check_histograms(&self) {
        let histograms = self
            .families
            .iter()
            .filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let bound = |sample: &str| -> f64 {
                let bound = sample.split('"').nth(1).unwrap();
                bound.parse().unwrap()
            };
            let buckets = self.all(&format!("{name}_bucket"));
            let mut buckets: Vec<_> = buckets.iter().map(|(at, n)| (bound(at), *n)).collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{name}");
            let last = *buckets.last().unwrap();
            assert_eq!(last, (f64::INFINITY, self.of(&format!("{name}_count"))));
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || char == '_';
    name.starts_with(|char: char| char.is_ascii_alphabetic()) && name.chars().all(is_fine)
}

/// `{name="value",…}`, with the escapes that there are.
#[track_caller]
fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let labels = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let mut rest = labels;
    let mut names = BTreeSet::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect(labels);
        assert!(is_name(name) && names.insert(name), "{labels}");
        let mut is_escaped = false;
        let end = after.find(|char| match char {
            _ if is_escaped => {
                assert!(matches!(char, '\\' | '"' | 'n'), "{labels}");
                is_escaped = false;
                false
            }
            '\\' => {
                is_escaped = true;
                false
            }
            char => char == '"',
        });
        rest = &after[end.expect(labels) + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').expect(labels);
        }
    }
}
