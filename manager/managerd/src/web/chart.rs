//! The chart of a meter over time, as SVG without any style of its own: colours come from the page's style.

use jiff::{Timestamp, tz::TimeZone};
use plotters::{
    chart::ChartBuilder,
    drawing::IntoDrawingArea,
    prelude::SVGBackend,
    series::LineSeries,
    style::{Color, IntoFont, RGBColor},
};
use webkit::{
    moment::date,
    text::{Lang, number},
};

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// How much.
    pub value: u64,
    /// The epoch of the meter; lines do not run across epochs.
    pub epoch: u32,
}

/// The colours by which the style sheet finds lines, grid and axes to give them the colours of the page.
const SERIES: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const AXIS: RGBColor = RGBColor(3, 3, 3);

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Draws the points (rising in time) at a size in pixels; nothing below two points.
pub fn draw(points: &[Point], size: (u32, u32), lang: Lang, zone: &TimeZone) -> anyhow::Result<Option<String>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(None) };
    if first.at >= last.at {
        return Ok(None);
    }
    let days = |moment: Timestamp| moment.as_millisecond() as f64 / 1000.0 / DAY;
    let lowest = points.iter().map(|point| point.value).min().unwrap_or_default() as f64;
    let highest = points.iter().map(|point| point.value).max().unwrap_or_default() as f64;
    // A meter that stands still is a line in the middle, not one on the edge.
    let margin = ((highest - lowest) * 0.08).max(1.0);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(28)
            .y_label_area_size(72)
            .build_cartesian_2d(days(first.at)..days(last.at), (lowest - margin).max(0.0)..highest + margin)
            .map_err(failed)?;
        let font = ("sans-serif", 13).into_font();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(AXIS)
            .label_style(font)
            .x_labels(usize::try_from(size.0 / 95).unwrap_or(4).max(2))
            .y_labels(5)
            .x_label_formatter(&|days| {
                #[allow(clippy::cast_possible_truncation, reason = "days of stored times fit by far")]
                let seconds = (days * DAY) as i64;
                Timestamp::from_second(seconds).map_or_else(|_| String::new(), |moment| date(lang, zone, moment))
            })
            .y_label_formatter(&|value| {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the axis starts at nought")]
                let value = value.round() as u64;
                number(lang, value)
            })
            .draw()
            .map_err(failed)?;
        for epoch in points.chunk_by(|one, next| one.epoch == next.epoch) {
            let line = epoch.iter().map(|point| (days(point.at), point.value as f64));
            chart.draw_series(LineSeries::new(line, SERIES)).map_err(failed)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(Some(svg))
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot draw the chart: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(day: i64, value: u64, epoch: u32) -> Point {
        Point { at: Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap(), value, epoch }
    }

    #[test]
    fn a_chart_has_a_line_for_each_epoch_and_no_style_of_its_own() {
        let points = [point(0, 100, 1), point(5, 150, 1), point(6, 3, 2), point(9, 20, 2)];
        let svg = draw(&points, (800, 260), Lang::De, &TimeZone::UTC).unwrap().unwrap();
        assert_eq!(svg.matches("stroke=\"#010101\"").count(), 2, "{svg}");
        assert!(!svg.contains("style") && !svg.contains("<script"), "{svg}");
    }

    #[test]
    fn what_cannot_be_drawn_is_not_drawn() {
        assert!(draw(&[], (800, 260), Lang::En, &TimeZone::UTC).unwrap().is_none());
        assert!(draw(&[point(0, 1, 1)], (800, 260), Lang::En, &TimeZone::UTC).unwrap().is_none());
        assert!(draw(&[point(0, 1, 1), point(0, 2, 1)], (800, 260), Lang::En, &TimeZone::UTC).unwrap().is_none());
        let flat = [point(0, 0, 1), point(1, 0, 1)];
        assert!(draw(&flat, (800, 260), Lang::En, &TimeZone::UTC).unwrap().is_some());
        let huge = [point(0, 0, 1), point(10_000, u64::MAX, 1)];
        assert!(draw(&huge, (800, 260), Lang::En, &TimeZone::UTC).unwrap().is_some());
    }
}
