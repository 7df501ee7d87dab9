//! Plots as SVG, to stand in a page. `None` where there is nothing to draw.

use eutectic_proto::control::v1 as wire;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Width and height of a plot.
const SIZE: (u32, u32) = (360, 240);
/// The height of a bar with its name.
const BAR_HEIGHT: u32 = 28;
const DARK: RGBColor = RGBColor(0x1f, 0x5f, 0x8b);
const LIGHT: RGBColor = RGBColor(0xa9, 0xc9, 0xdf);

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(size: (u32, u32), plot: impl FnOnce(&Area<'_>) -> Drawn) -> Option<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        plot(&area).and_then(|()| area.present()).ok()?;
    }
    Some(svg)
}

/// A little more than these values span; `None` without finite ones.
fn range(values: impl Iterator<Item = f64> + Clone) -> Option<std::ops::Range<f64>> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let margin = if high > low { 0.05 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    (low.is_finite() && high.is_finite() && margin.is_finite()).then_some(low - margin..high + margin)
}

/// A number on an axis.
fn label(value: &f64) -> String {
    super::output::number(if value.abs() < 1e-12 { 0.0 } else { *value })
}

macro_rules! axes {
    ($area:expr, $x:expr, $y:expr) => {{
        let mut chart =
            ChartBuilder::on($area).margin(8).x_label_area_size(24).y_label_area_size(56).build_cartesian_2d($x, $y)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels(5)
            .y_labels(5)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .draw()?;
        chart
    }};
}

/// What had been reached after each experiment.
pub(super) fn trace(reached: &[wire::explanation::Reached]) -> Option<String> {
    let y = range(reached.iter().map(|it| it.value))?;
    let x = range(reached.iter().map(|it| f64::from(it.experiment)))?;
    draw(SIZE, |area| {
        let mut chart = axes!(area, x, y);
        let points = reached.iter().map(|it| (f64::from(it.experiment), it.value));
        chart.draw_series(LineSeries::new(points, DARK.stroke_width(2)))?;
        Ok(())
    })
}

/// Experiments by two objectives.
pub(super) fn front(experiments: &[wire::Experiment], front: &[u32], names: &[String; 2]) -> Option<String> {
    let value = |it: &wire::Experiment, name: &String| {
        it.outcomes.iter().find(|outcome| outcome.name == *name).map(|outcome| outcome.value)
    };
    let [first, second] = names;
    let points: Vec<(u32, f64, f64)> =
        experiments.iter().filter_map(|it| Some((it.number, value(it, first)?, value(it, second)?))).collect();
    let x = range(points.iter().map(|(_, x, _)| *x))?;
    let y = range(points.iter().map(|(.., y)| *y))?;
    draw(SIZE, |area| {
        let mut chart = axes!(area, x, y);
        chart.draw_series(points.iter().map(|(number, x, y)| {
            let style = if front.contains(number) { DARK.filled() } else { LIGHT.stroke_width(1) };
            Circle::new((*x, *y), 3, style)
        }))?;
        Ok(())
    })
}

/// Shares of the variance, one bar a parameter.
pub(super) fn shares(parameters: &[wire::ParameterExplanation]) -> Option<String> {
    let count = u32::try_from(parameters.len()).ok().filter(|count| *count > 0)?;
    draw((2 * SIZE.0, BAR_HEIGHT * count + 8), |area| {
        let font = ("sans-serif", 14).into_font();
        for (index, it) in (0_i32..).zip(parameters) {
            let top = 4 + index * BAR_HEIGHT.cast_signed();
            let bar = |share: f64, style: ShapeStyle| {
                // A bar is at most half of the picture wide.
                #[expect(clippy::cast_possible_truncation, reason = "at most a few hundred pixels")]
                let right = 180 + (share.clamp(0.0, 1.0) * f64::from(SIZE.0)) as i32;
                Rectangle::new([(180, top + 4), (right, top + 20)], style)
            };
            area.draw(&bar(it.total, LIGHT.filled()))?;
            area.draw(&bar(it.first, DARK.filled()))?;
            area.draw(&Text::new(it.name.clone(), (4, top + 5), font.clone()))?;
            let told = format!("{:.0} %, {:.0} %", 100.0 * it.first, 100.0 * it.total);
            area.draw(&Text::new(told, (190 + SIZE.0.cast_signed(), top + 5), font.clone()))?;
        }
        Ok(())
    })
}

/// An outcome along one parameter, with its band.
pub(super) fn dependence(parameter: &wire::ParameterExplanation) -> Option<String> {
    let y = range(parameter.at.iter().flat_map(|at| [at.low, at.high]))?;
    let level = |(index, at): (usize, &wire::parameter_explanation::At)| match &at.level {
        Some(level) if level.numeric => level.number,
        _ => index as f64,
    };
    let numeric = parameter.at.iter().all(|at| at.level.as_ref().is_some_and(|level| level.numeric));
    let x: Vec<f64> = parameter.at.iter().enumerate().map(level).collect();
    let across = range(x.iter().copied())?;
    let choice = |value: &f64| {
        let named = |(index, at): (usize, &wire::parameter_explanation::At)| {
            ((index as f64 - value).abs() < 1e-6).then(|| at.level.clone().unwrap_or_default().text)
        };
        parameter.at.iter().enumerate().find_map(named).unwrap_or_default()
    };
    draw(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(56)
            .build_cartesian_2d(across, y)?;
        let name = |value: &f64| if numeric { label(value) } else { choice(value) };
        let labels = if numeric { 5 } else { 2 * x.len() + 1 };
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels(labels)
            .y_labels(5)
            .x_label_formatter(&name)
            .y_label_formatter(&label)
            .draw()?;
        let points = || x.iter().zip(&parameter.at);
        if numeric {
            let there = points().map(|(x, at)| (*x, at.high));
            let back = points().rev().map(|(x, at)| (*x, at.low));
            chart.draw_series([Polygon::new(there.chain(back).collect::<Vec<_>>(), LIGHT.mix(0.6).filled())])?;
            chart.draw_series(LineSeries::new(points().map(|(x, at)| (*x, at.mean)), DARK.stroke_width(2)))?;
        } else {
            let bar = |(x, at): (&f64, &wire::parameter_explanation::At)| {
                ErrorBar::new_vertical(*x, at.low, at.mean, at.high, DARK.filled(), 8)
            };
            chart.draw_series(points().map(bar))?;
        }
        Ok(())
    })
}

/// Readings by what was expected of them without them.
pub(super) fn parity(readings: &[wire::outcome_explanation::Reading]) -> Option<String> {
    let both = range(readings.iter().flat_map(|it| [it.value, it.expected]))?;
    draw((SIZE.0, SIZE.0), |area| {
        let mut chart = axes!(area, both.clone(), both.clone());
        let ends = [(both.start, both.start), (both.end, both.end)];
        chart.draw_series(LineSeries::new(ends, BLACK.mix(0.4).stroke_width(1)))?;
        let clamped = |value: f64| value.clamp(both.start, both.end);
        chart.draw_series(readings.iter().map(|it| {
            let ends = vec![(clamped(it.low), it.value), (clamped(it.high), it.value)];
            PathElement::new(ends, LIGHT.stroke_width(1))
        }))?;
        chart.draw_series(readings.iter().map(|it| Circle::new((it.expected, it.value), 3, DARK.filled())))?;
        Ok(())
    })
}
