//! The ratios of a run as a picture.

use std::io;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::contender::Contender;
use crate::metric::{Metric, digits};
use crate::results::Results;

/// What is drawn, in this order: the figures that the project is held to first.
const METRICS: [Metric; 9] = [
    Metric::RoundTripCpu,
    Metric::CrowdCpu,
    Metric::Latency99,
    Metric::ThroughputRate,
    Metric::ThroughputCpu,
    Metric::ConnectionRate,
    Metric::DatagramRate,
    Metric::IdlePss,
    Metric::ColdStart,
];

const WIDTH: u32 = 900;
const HEADER: u32 = 50;
/// The height of a bar with its gap, and of a metric's title.
const BAR: u32 = 18;
const TITLE: u32 = 30;
/// Where bars begin and end at the widest.
const LEFT: i32 = 120;
const RIGHT: i32 = 800;

/// One panel for each metric: a bar for each contender, from native (1) to its
/// ratio, on a logarithmic scale that all panels share.
pub(crate) fn svg(results: &Results) -> Result<String> {
    let panels: Vec<Panel> = METRICS
        .into_iter()
        .filter_map(|metric| Panel::of(results, metric))
        .collect();
    let ratios = panels.iter().flat_map(|panel| &panel.bars);
    let widest = ratios
        .map(|(_, ratio)| ratio.ln().abs())
        .fold(0.7, f64::max);
    let mut text = String::new();
    {
        let height = HEADER + panels.iter().map(Panel::height).sum::<u32>();
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area, &panels, widest).map_err(|error| anyhow!("cannot draw: {error}"))?;
    }
    Ok(text)
}

struct Panel {
    metric: Metric,
    bars: Vec<(Contender, f64)>,
}

impl Panel {
    /// None where nobody was held against native.
    fn of(results: &Results, metric: Metric) -> Option<Self> {
        let bars: Vec<_> = results
            .contenders()
            .into_iter()
            .filter(|contender| *contender != Contender::Native)
            .filter_map(|it| Some((it, results.ratio(metric, it)?.median)))
            .filter(|(_, ratio)| ratio.is_normal() && *ratio > 0.0)
            .collect();
        (!bars.is_empty()).then_some(Self { metric, bars })
    }

    fn height(&self) -> u32 {
        TITLE + BAR * u32::try_from(self.bars.len()).unwrap_or(0)
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

fn draw(area: &Area<'_>, panels: &[Panel], widest: f64) -> Drawn {
    area.fill(&WHITE)?;
    let text = ("sans-serif", 15).into_font();
    let heading = ("sans-serif", 19).into_font();
    let line = "Ratio to native tokio (the line). Green is better than native, red is worse.";
    area.draw(&Text::new(line, (10, 14), heading))?;
    let middle = f64::from(i32::midpoint(LEFT, RIGHT));
    let half = f64::from(RIGHT - LEFT) / 2.0;
    let place = |ratio: f64| rounded(middle + ratio.ln() / widest * half);
    let mut top = HEADER.cast_signed();
    for panel in panels {
        let arrow = match panel.metric.unit().is_rate() {
            true => "more is better",
            false => "less is better",
        };
        let title = format!("{} ({arrow})", panel.metric.title());
        area.draw(&Text::new(title, (10, top + 8), text.clone()))?;
        let mut y = top + TITLE.cast_signed();
        for (contender, ratio) in &panel.bars {
            let is_better = (*ratio > 1.0) == panel.metric.unit().is_rate();
            let color = match is_better {
                true => RGBColor(70, 150, 90),
                false => RGBColor(190, 90, 80),
            };
            let (from, to) = (place(1.0), place(*ratio));
            let bar = [(from.min(to), y), (from.max(to), y + 12)];
            area.draw(&Rectangle::new(bar, color.filled()))?;
            let label = Text::new(contender.title(), (10, y), text.clone());
            area.draw(&label)?;
            let figure = format!("{}×", digits(*ratio));
            area.draw(&Text::new(figure, (RIGHT + 15, y), text.clone()))?;
            y += BAR.cast_signed();
        }
        let native = [(place(1.0), top + 26), (place(1.0), y - 2)];
        area.draw(&PathElement::new(native, BLACK))?;
        top += panel.height().cast_signed();
    }
    area.present()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "places are within the picture"
)]
fn rounded(place: f64) -> i32 {
    place.round() as i32
}
